import { describe, expect, it } from 'vitest';
import { runKnock } from '../../src/client/command.ts';
import { SallyportError } from '../../src/core/errors.ts';
import { parseSequence } from '../../src/core/sequence.ts';
import { type FakeWorldOptions, fakeWorld } from '../support/client-world.ts';

// Other ports than the examples in help and error texts have.
const LIST = 'tcp/23456,udp/26789,tcp/25123';
const SEQUENCE = parseSequence(LIST);
const ESCAPE = '\u001b';

interface Setting extends Partial<FakeWorldOptions> {
  readonly tty?: boolean;
  readonly columns?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the command against a machine at 203.0.113.7 (`office`, which has 2001:db8::7 too) that opens at the first round. */
async function run(argv: readonly string[], setting: Setting = {}) {
  const { tty = false, columns = 80, env = {}, ...rest } = setting;
  const { time, network, world } = fakeWorld({
    sequence: SEQUENCE,
    far: { '203.0.113.7': { opensAfter: 1 }, '2001:db8::7': { opensAfter: 1 } },
    names: {
      office: [
        { address: '2001:db8::7', family: 6 },
        { address: '2001:db8::8', family: 6 },
        { address: '203.0.113.7', family: 4 },
      ],
      old: [{ address: '203.0.113.7', family: 4 }],
    },
    ...rest,
  });
  const written = { stdout: '', stderr: '' };
  const output = (name: 'stdout' | 'stderr') => ({
    isTTY: tty,
    columns,
    write: (text: string) => {
      written[name] += text;
    },
  });
  const io = { stdout: output('stdout'), stderr: output('stderr'), env };
  const code = await time.run(runKnock(argv, io, world));
  // The promise of all promises: no port of the sequence is ever written.
  expect(written.stdout + written.stderr).not.toMatch(/23456|26789|25123/);
  return { code, network, ...written };
}

const knockAt = (host: string, ...more: string[]) => [host, '--ports', LIST, ...more];
const shut = { far: { '203.0.113.7': { opensAfter: 99 }, '2001:db8::7': { opensAfter: 99 } } };

describe('in a pipe', () => {
  it('prints the result on stdout, what it does on stderr, and no escape sequence', async () => {
    const { code, stdout, stderr } = await run(knockAt('203.0.113.7', '--wait', 'tcp/22'));
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Open\. tcp\/22 on 203\.0\.113\.7 answers \(one try, \d\.\d s\)\.\n$/);
    expect(stderr).toBe('Knocking on 203.0.113.7\nWaiting for tcp/22 on 203.0.113.7\n');
    expect(stdout + stderr).not.toContain(ESCAPE);
  });

  it('says which try it is, and how long until the next', async () => {
    const { stderr } = await run(knockAt('203.0.113.7', '--wait', 'tcp/22'), {
      far: { '203.0.113.7': { opensAfter: 2 } },
    });
    expect(stderr.split('\n')).toEqual([
      'Knocking on 203.0.113.7',
      'Waiting for tcp/22 on 203.0.113.7',
      'Still shut; trying again in 2s',
      'Knocking on 203.0.113.7 (try 2 of 3)',
      'Waiting for tcp/22 on 203.0.113.7 (try 2 of 3)',
      '',
    ]);
  });

  it('without a port to wait for says that it cannot know, and how to check', async () => {
    const { code, stdout } = await run(knockAt('203.0.113.7'), shut);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Sent\. 3 packets went to 203\.0\.113\.7\./);
    expect(stdout).toContain('cannot be known');
    expect(stdout).toContain('--wait');
  });

  it('on failure is one line with a code and what to do, and exit code 1', async () => {
    const { code, stdout, stderr } = await run(knockAt('203.0.113.7', '--wait', 'tcp/22', '--quiet'), shut);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^SP_CLIENT_STILL_SHUT: tcp\/22 on 203\.0\.113\.7 stayed shut \(3 tries\)\. .+\n$/);
  });

  it('says in plain words that nothing listens, that it was open already, or that neither can be told', async () => {
    const answers = async (far: FakeWorldOptions['far'][string]) =>
      (await run(knockAt('203.0.113.7', '--wait', 'tcp/22'), { far: { '203.0.113.7': far } })).stdout;
    expect(await answers({ opensAfter: 1, answer: 'refused' })).toMatch(/^Open\. You are let in, but nothing listens/);
    expect(await answers({ opensAfter: 0 })).toMatch(/^Already open\. .*renewed/);
    expect(await answers({ opensAfter: 0, answer: 'refused' })).toMatch(/^Reachable, it seems\. /);
  });

  it('notes a refused knock, which no gateway sends', async () => {
    const { code, stderr } = await run(knockAt('203.0.113.7'), {
      far: { '203.0.113.7': { opensAfter: 1, fault: 'ECONNREFUSED' } },
    });
    expect(code).toBe(0);
    expect(stderr).toContain('Note: the knock itself was refused.');
  });
});

describe('on a terminal', () => {
  const spinning = { tty: true, env: { LANG: 'C.UTF-8', TERM: 'xterm' } };

  it('draws over one line, cleans it up and colours the result', async () => {
    const { stdout, stderr } = await run(knockAt('203.0.113.7', '--wait', 'tcp/22'), spinning);
    expect(stderr).toContain('\r⠋ Knocking on 203.0.113.7\u001b[K');
    expect(stderr.endsWith('\r\u001b[K')).toBe(true);
    expect(stderr).not.toContain('\n');
    expect(stdout.startsWith(`${ESCAPE}[32mOpen.${ESCAPE}[39m `)).toBe(true);
  });

  it('cleans up before an error', async () => {
    const { stderr } = await run(knockAt('203.0.113.7', '--wait', 'tcp/22'), { ...spinning, ...shut });
    const lastLine = stderr.split(`\r${ESCAPE}[K`).at(-1);
    expect(lastLine).toMatch(/^SP_CLIENT_STILL_SHUT: [^\n]*\n$/);
  });

  it('keeps to one line on a narrow one', async () => {
    const { stderr } = await run(knockAt('203.0.113.7'), { ...spinning, columns: 12 });
    for (const drawn of stderr.split('\r')) expect(drawn.replace('\u001b[K', '').length).toBeLessThan(12);
  });

  it('shows the whole line on one that does not know its width', async () => {
    const { stderr } = await run(knockAt('203.0.113.7'), { ...spinning, columns: 0 });
    expect(stderr).toContain('Knocking on 203.0.113.7');
  });

  it('has no colour with NO_COLOR, and plain frames without UTF-8', async () => {
    const { stdout, stderr } = await run(knockAt('203.0.113.7', '--wait', 'tcp/22'), {
      tty: true,
      env: { NO_COLOR: '1', TERM: 'xterm' },
    });
    expect(stdout).toMatch(/^Open\. /);
    expect(stderr).toContain('\r- Knocking');
    expect(stdout + stderr).not.toContain(`${ESCAPE}[3`);
  });

  it('draws nothing on a dumb one', async () => {
    const { stdout, stderr } = await run(knockAt('203.0.113.7'), { tty: true, env: { TERM: 'dumb' } });
    expect(stdout + stderr).not.toContain(ESCAPE);
    expect(stdout + stderr).not.toContain('\r');
  });
});

describe('--quiet', () => {
  it('prints nothing where all is well', async () => {
    expect(await run(knockAt('203.0.113.7', '--wait', 'tcp/22', '-q'))).toMatchObject({
      code: 0,
      stdout: '',
      stderr: '',
    });
  });
});

describe('--json', () => {
  it('is one line on stdout and nothing on stderr', async () => {
    const { code, stdout, stderr } = await run(knockAt('office', '--wait', 'tcp/22', '--json'), { tty: true });
    expect(code).toBe(0);
    expect(stderr).toBe('');
    expect(stdout.endsWith('}\n')).toBe(true);
    expect(JSON.parse(stdout)).toEqual({
      host: 'office',
      address: '2001:db8::7',
      addresses: ['2001:db8::7'],
      open: true,
      already_open: false,
      listening: true,
      tries: 1,
      elapsed_ms: expect.any(Number),
    });
  });

  it('has null where nothing can be known', async () => {
    const { stdout } = await run(knockAt('old', '--json'));
    expect(JSON.parse(stdout)).toMatchObject({ open: null, already_open: null, listening: null, tries: 1 });
  });

  it('has false on failure, with the error on stderr and exit code 1', async () => {
    const { code, stdout, stderr } = await run(
      knockAt('old', '--wait', 'tcp/22', '--tries', '2', '--json', '--quiet'),
      shut,
    );
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ host: 'old', address: '203.0.113.7', open: false, tries: 2 });
    expect(stderr).toMatch(/^SP_CLIENT_STILL_SHUT: [^\n]+\n$/);
  });
});

describe('a name', () => {
  it('is knocked on at the first address of each family', async () => {
    const { network, stdout } = await run(knockAt('office'), shut);
    expect(network.sent.map(({ address }) => address)).toEqual([
      ...Array(3).fill('2001:db8::7'),
      ...Array(3).fill('203.0.113.7'),
    ]);
    expect(stdout).toContain('office (2001:db8::7 and 203.0.113.7)');
  });

  it('is knocked on at the family asked for alone', async () => {
    const { network } = await run(knockAt('office', '-4'), shut);
    expect(new Set(network.sent.map(({ address }) => address))).toEqual(new Set(['203.0.113.7']));
  });

  it('that has no address, or none of the family asked for, is an error that names it', async () => {
    const unknown = await run(knockAt('nowhere.example'));
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toMatch(/SP_CLIENT_NAME_UNKNOWN: .*"nowhere\.example".*ENOTFOUND/);
    const wrongFamily = await run(knockAt('old', '-6'));
    expect(wrongFamily.code).toBe(1);
    expect(wrongFamily.stderr).toContain('no IPv6 address was found for the name "old"');
  });
});

describe('where the ports come from', () => {
  it('is a file, with a note where others can read it', async () => {
    const files = { mine: { text: `# office\n${LIST}\n`, exposed: false }, ours: { text: LIST, exposed: true } };
    const mine = await run(['203.0.113.7', '--ports-file', 'mine'], { files });
    expect(mine.network.sent).toHaveLength(3);
    expect(mine.stderr).not.toContain('Note');
    expect((await run(['203.0.113.7', '--ports-file', 'ours'], { files })).stderr).toContain('Note: others');
  });

  it('is the environment', async () => {
    const { code, network } = await run(['203.0.113.7'], { env: { SALLYPORT_PORTS: LIST } });
    expect(code).toBe(0);
    expect(network.sent).toHaveLength(3);
  });
});

describe('exit codes and errors', () => {
  it('are 2 and one line for wrong usage, and nothing is sent', async () => {
    const { code, stdout, stderr, network } = await run(knockAt('203.0.113.7', '--wait', 'udp/5060'));
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^SP_USAGE: [^\n]+ Run it with --help[^\n]*\n$/);
    expect(network.sent).toEqual([]);
  });

  it('are 1 where no packet can leave', async () => {
    const far = { '203.0.113.7': { opensAfter: 1, fault: 'ENETUNREACH' } };
    const { code, stderr } = await run(knockAt('203.0.113.7', '--json'), { far });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^SP_CLIENT_NOT_SENT: [^\n]+\n$/);
  });

  it('are 0 for --help, which names every option', async () => {
    const { code, stdout } = await run(['--help']);
    expect(code).toBe(0);
    for (const word of 'HOST --ports --ports-file SALLYPORT_PORTS --wait --tries -4 -6 --delay --json --quiet'.split(
      ' ',
    )) {
      expect(stdout).toContain(word);
    }
  });

  it('keep what is not theirs: a fault of the program is thrown', async () => {
    const failed = run(['203.0.113.7', '--ports-file', 'none'], { files: {} });
    await expect(failed).rejects.toThrow('no file none');
    await expect(failed).rejects.not.toBeInstanceOf(SallyportError);
  });
});
