import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseHost, printableHost } from '../../src/client/host.ts';
import { parseKnockOptions } from '../../src/client/options.ts';
import { readPortsFile, readSequence } from '../../src/client/ports-source.ts';
import { SallyportError } from '../../src/core/errors.ts';

const LIST = 'tcp/21234,udp/28111,tcp/24711';

function errorOf(work: () => unknown): SallyportError {
  try {
    work();
  } catch (error) {
    if (error instanceof SallyportError) return error;
    throw error;
  }
  throw new Error('no error');
}

const parse = (argv: readonly string[], env = {}) => parseKnockOptions(argv, env);
const options = (argv: readonly string[], env = {}) => {
  const parsed = parse(argv, env);
  if (parsed === 'help') throw new Error('help');
  return parsed;
};

describe('the command line', () => {
  it('has the defaults that the help names', () => {
    expect(options(['office', '--ports', LIST])).toEqual({
      host: { kind: 'name', text: 'office' },
      ports: { text: LIST },
      wait: undefined,
      family: undefined,
      delay: 150,
      tries: 3,
      json: false,
      quiet: false,
    });
  });

  it('takes every option, in any order and with or without an equals sign', () => {
    const argv = [
      '--json',
      '--wait=tcp/22',
      '-4',
      '--delay',
      '200ms',
      '203.0.113.7',
      '--ports',
      LIST,
      '-q',
      '--tries=5',
    ];
    expect(options(argv)).toMatchObject({ wait: 22, family: 4, delay: 200, tries: 5, json: true, quiet: true });
    expect(options(['2001:db8::7', '-6', '--ports', LIST])).toMatchObject({ family: 6 });
  });

  it('takes the ports from the environment or a file, and the command line before the environment', () => {
    expect(options(['h', '--ports-file', 'f']).ports).toEqual({ file: 'f' });
    expect(options(['h', '--ports-file', '-']).ports).toEqual({ file: '-' });
    expect(options(['h'], { SALLYPORT_PORTS: LIST }).ports).toEqual({ text: LIST });
    expect(options(['h', '--ports-file', 'f'], { SALLYPORT_PORTS: LIST }).ports).toEqual({ file: 'f' });
  });

  it('takes --config, as every command does', () => {
    expect(options(['office', '--config', '/nowhere.yaml', '--ports', LIST]).host.text).toBe('office');
  });

  it('answers --help whatever else is missing', () => {
    expect(parse(['--help'])).toBe('help');
    expect(parse(['-h', 'office'])).toBe('help');
  });

  it.each<[string, string[], Record<string, string>?]>([
    ['no host', []],
    ['no ports', ['office']],
    ['empty ports in the environment', ['office'], { SALLYPORT_PORTS: ' ' }],
    ['two hosts', ['office', 'home', '--ports', LIST]],
    ['ports and a file', ['office', '--ports', LIST, '--ports-file', 'f']],
    ['ports with spaces', ['office', '--ports', 'tcp/21234,', 'udp/28111']],
    ['an option that there is not', ['office', '--prots', LIST]],
    ['an option that there is not, with its value', ['office', `--prots=${LIST}`]],
    ['ports as the option itself', ['office', `--${LIST}`]],
    ['ports where the host goes', [LIST, '--ports', LIST]],
    ['ports where the port to wait for goes', ['office', '--wait', LIST, '--ports', LIST]],
    ['a value that is missing', ['office', '--ports']],
    ['a value that is the next option', ['office', '--ports', '--json']],
    ['a flag with a value', ['office', '--ports', LIST, '--json=yes']],
    ['both families', ['office', '--ports', LIST, '-46']],
    ['a family that the address has not', ['203.0.113.7', '--ports', LIST, '-6']],
    ['UDP to wait for', ['office', '--ports', LIST, '--wait', 'udp/5060']],
    ['a range to wait for', ['office', '--ports', LIST, '--wait', 'tcp/22-23']],
    ['a port to wait for without its protocol', ['office', '--ports', LIST, '--wait', '22']],
    ['tries without a port to wait for', ['office', '--ports', LIST, '--tries', '2']],
    ['no tries', ['office', '--ports', LIST, '--wait', 'tcp/22', '--tries', '0']],
    ['too many tries', ['office', '--ports', LIST, '--wait', 'tcp/22', '--tries', '11']],
    ['a pause without a unit', ['office', '--ports', LIST, '--delay', '200']],
    ['a pause that is too long', ['office', '--ports', LIST, '--delay', '6s']],
  ])('refuses %s as wrong usage, and repeats no port', (_name, argv, env = {}) => {
    const error = errorOf(() => parse(argv, env));
    expect(error.usage).toBe(true);
    expect(error.toLine()).not.toMatch(/21234|28111/);
    expect(error.toLine()).not.toContain('\n');
  });

  it('says why a UDP port cannot be waited for', () => {
    expect(errorOf(() => parse(['h', '--ports', LIST, '--wait', 'udp/5060'])).message).toContain('UDP');
  });

  it('gives options or one of our errors for any words', () => {
    const words = fc.oneof(
      fc.string(),
      fc.constantFrom('--ports', LIST, '-4', '-h', '--', '-', '--wait', 'tcp/22', 'h'),
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 8 }), (argv) => {
        try {
          parse(argv);
        } catch (error) {
          expect(error).toBeInstanceOf(SallyportError);
        }
      }),
    );
  });
});

describe('the host', () => {
  it('is an address, canonical, or a name', () => {
    expect(parseHost('203.0.113.7')).toEqual({ kind: 'address', text: '203.0.113.7', family: 4 });
    expect(parseHost('2001:DB8:0::7')).toEqual({ kind: 'address', text: '2001:db8::7', family: 6 });
    expect(parseHost('fe80::1%eth0')).toEqual({ kind: 'address', text: 'fe80::1%eth0', family: 6 });
    expect(parseHost('vpn.example.org.')).toEqual({ kind: 'name', text: 'vpn.example.org.' });
    expect(parseHost('bücher.example')).toEqual({ kind: 'name', text: 'xn--bcher-kva.example' });
  });

  it.each([
    ['127.1', 'SP_ADDRESS_INVALID'],
    ['010.0.0.1', 'SP_ADDRESS_INVALID'],
    ['::ffff:203.0.113.7', 'SP_ADDRESS_MAPPED'],
    ['0x7f.0x1', 'SP_CLIENT_HOST_INVALID'],
    ['１２７.１', 'SP_CLIENT_HOST_INVALID'],
    ['-oProxyCommand=x', 'SP_CLIENT_HOST_INVALID'],
    ['a..b', 'SP_CLIENT_HOST_INVALID'],
    ['a b', 'SP_CLIENT_HOST_INVALID'],
    ['$(id)', 'SP_CLIENT_HOST_INVALID'],
    ['', 'SP_CLIENT_HOST_INVALID'],
    ['x'.repeat(64), 'SP_CLIENT_HOST_INVALID'],
    ['fe80::1', 'SP_CLIENT_ZONE_MISSING'],
    ['2001:db8::7%eth0', 'SP_ADDRESS_INVALID'],
    ['fe80::1%eth0;id', 'SP_ADDRESS_INVALID'],
    ['fe80::1%a%b', 'SP_ADDRESS_INVALID'],
    ['203.0.113.7:22', 'SP_ADDRESS_INVALID'],
  ])('is not %j', (text, code) => {
    expect(errorOf(() => parseHost(text)).code).toBe(code);
  });

  it('holds no character that a shell, PowerShell or a terminal would act on, whatever is given', () => {
    const nearlyHosts = fc.string({ unit: fc.constantFrom(...'aZ09.-_:%\'"`$;&|(){}<> \n\u001b\u202eéß') });
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), nearlyHosts, fc.ipV4(), fc.ipV6()), (text) => {
        const host = printableHost(text);
        if (host !== undefined) expect(host).toMatch(/^[A-Za-z0-9_:][A-Za-z0-9_.:-]*$/);
      }),
    );
  });
});

describe('the sequence', () => {
  const wanted = [
    { protocol: 'tcp', port: 21234 },
    { protocol: 'udp', port: 28111 },
    { protocol: 'tcp', port: 24711 },
  ];

  it.each([LIST, ` ${LIST}\n`, '# office\ntcp/21234\nudp/28111\ntcp/24711\n', 'tcp/21234, udp/28111,\r\ntcp/24711'])(
    'is read from %j',
    (text) => {
      expect(readSequence(text)).toEqual(wanted);
    },
  );

  it.each([
    '',
    'tcp/21234',
    'tcp/21234,tcp/21234',
    'tcp/21234,sctp/28111',
    'tcp/21234,udp/70000',
    '21234:tcp,28111:udp',
  ])('is not %j, and the error does not repeat it', (text) => {
    const error = errorOf(() => readSequence(text));
    expect(error.code).toBe('SP_SEQUENCE_INVALID');
    expect(error.message).not.toMatch(/21234|28111|70000/);
  });
});

describe('the file of the ports', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sallyport-ports-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is read, and it is told whether others may read it', async () => {
    const path = join(folder, 'office');
    writeFileSync(path, `${LIST}\n`);
    chmodSync(path, 0o600);
    expect(await readPortsFile(path)).toEqual({ text: `${LIST}\n`, exposed: false });
    chmodSync(path, 0o644);
    expect(await readPortsFile(path)).toMatchObject({ exposed: true });
  });

  it('is refused where it is missing, a directory or endless', async () => {
    await expect(readPortsFile(join(folder, 'none'))).rejects.toMatchObject({ code: 'SP_CLIENT_PORTS_FILE' });
    await expect(readPortsFile(folder)).rejects.toMatchObject({ code: 'SP_CLIENT_PORTS_FILE' });
    await expect(readPortsFile('/dev/zero')).rejects.toMatchObject({ code: 'SP_CLIENT_PORTS_FILE' });
  });
});
