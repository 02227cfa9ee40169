/** `sallyport import` against a real control server: what is shown, asked and made. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseAddress } from '../../src/core/address.ts';
import { SallyportError } from '../../src/core/errors.ts';
import type { ImportGround } from '../../src/core/import/plan.ts';
import { parsePortRange, parsePortSpan } from '../../src/core/ports.ts';
import { hours } from '../../src/core/time.ts';
import { type CliOptions, type CliRun, type ControlRig, cli, startRig, tempDir } from '../support/control-rig.ts';
import { service } from '../support/core-arbitraries.ts';
import { entryView, listed, userView } from '../support/fake-gateway.ts';

const GROUND: ImportGround = {
  services: new Map([[service('ssh'), [parsePortRange('tcp/22')]]]),
  pool: parsePortSpan('21000-29999'),
  protocols: ['tcp', 'udp'],
  maxTtl: hours(12),
  cuts: true,
  ownAddresses: new Set([parseAddress('192.0.2.1')]),
};

const RULES = `*filter
:INPUT DROP [0:0]
-A INPUT -s 203.0.113.7/32 -p tcp -m tcp --dport 22 -m comment --comment "Ann" -j ACCEPT
-A INPUT -s home.example.org -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -s 203.0.113.8/32 -j ACCEPT
COMMIT
`;
const KNOCKD = `[bob]
  sequence      = 21300:udp,24001,28500:udp
  start_command = /sbin/iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
  cmd_timeout   = 3600
  stop_command  = /sbin/iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
`;
const SECRETS = ['21300', '24001', '28500'];

let rig: ControlRig;
let dir: ReturnType<typeof tempDir>;
beforeEach(async () => {
  [rig, dir] = [await startRig(), tempDir()];
});
afterEach(async () => {
  dir.remove();
  await rig.stop();
});

function file(name: string, text: string): string {
  writeFileSync(join(dir.path, name), text);
  return join(dir.path, name);
}

const offline = { importGround: async () => GROUND };
const run = (argv: readonly string[], options: CliOptions = {}): Promise<CliRun> =>
  rig.run(['import', ...argv], { offline, ...options });

/** What was asked of the daemon that changes something. */
const changes = () => rig.gateway.asked.filter(([name]) => name !== 'list' && name !== 'users');

/** A terminal where somebody types a line. */
function typing(line: string): CliOptions {
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  stdin.write(`${line}\n`);
  return { stdin, tty: true };
}

const MADE = [
  [
    'addEntries',
    {
      entries: [
        { target: '203.0.113.7', services: ['ssh'], note: 'Ann' },
        { target: 'home.example.org', services: ['ssh'], note: 'rules.v4, line 4' },
        { target: '203.0.113.8', services: ['all'], note: 'rules.v4, line 5' },
      ],
    },
  ],
  ['addUser', { name: 'bob', services: ['ssh'], ttl: '1h', knock: 'udp/21300,tcp/24001,udp/28500' }],
];

describe('before the yes', () => {
  it.each([
    ['--dry-run', ['--dry-run'], {}, 0],
    ['nobody to ask', [], {}, 1],
    ['--json alone', ['--json'], {}, 1],
    ['--json --dry-run', ['--json', '--dry-run'], {}, 0],
    ['a no', [], typing('n'), 1],
    ['an empty line', [], typing(''), 1],
    ['a word that is no yes', [], typing('yesterday'), 1],
  ])(
    'nothing is changed, and everything is shown but the ports of a sequence: %s',
    async (_, args, options, status) => {
      const files = [file('rules.v4', RULES), file('knockd.conf', KNOCKD)];
      const found = await run([...files, ...args], options);
      expect(found.status).toBe(status);
      expect(changes()).toEqual([]);
      for (const word of ['203.0.113.7', 'home.example.org', '203.0.113.8', 'bob', 'Ann'])
        expect(found.out).toContain(word);
      for (const secret of SECRETS) expect(found.out + found.err).not.toContain(secret);
    },
  );

  it('says that there is nobody to ask', async () => {
    const { err } = await run([file('rules.v4', RULES)]);
    expect(err).toMatch(/^SP_IMPORT_UNASKED: [^\n]*--yes[^\n]*\n$/);
  });

  it('shows all of it without a daemon, and makes none of it', async () => {
    const argv = ['import', file('rules.v4', RULES)];
    const nowhere = join(dir.path, 'none.sock');
    const dry = await cli(nowhere, [...argv, '--dry-run'], { offline });
    expect([dry.status, dry.err]).toEqual([0, '']);
    expect(dry.out).toContain('No daemon answers');
    const wet = await cli(nowhere, [...argv, '--yes'], { offline });
    expect(wet.status).toBe(1);
    expect(wet.out).toContain('203.0.113.7');
    expect(wet.err).toMatch(/^SP_DAEMON_UNREACHABLE: [^\n]*\n$/);
  });

  it.each([
    ['a file that is not there', 'none', undefined, 'SP_IMPORT_FILE'],
    ['a folder', '.', undefined, 'SP_IMPORT_FILE'],
    ['a file that is too large', 'huge', `# ${'x'.repeat(1023)}\n`.repeat(4200), 'SP_IMPORT_FILE'],
    ['a file of an unknown kind', 'notes.txt', 'tcp/21300,udp/24001\n', 'SP_IMPORT_KIND'],
  ])('%s stops all of it, with one line', async (_, name, text, code) => {
    const bad = text === undefined ? join(dir.path, name) : file(name, text);
    const { status, out, err } = await run([file('rules.v4', RULES), bad, '--yes']);
    expect([status, out]).toEqual([1, '']);
    expect(err).toMatch(new RegExp(`^${code}: [^\n]+\n$`));
    expect(err).not.toContain('21300');
    expect(rig.gateway.asked).toEqual([]);
  });
});

describe('with the yes', () => {
  it.each([
    ['--yes', ['--yes'], {}],
    ['typed', [], typing('y')],
    ['typed in full', [], typing('YES')],
  ])('entries and users are made, and cards printed once: %s', async (_, args, options) => {
    const files = [file('rules.v4', RULES), file('knockd.conf', KNOCKD)];
    const { status, out } = await run([...files, ...args], options);
    expect(status).toBe(0);
    expect(changes()).toEqual(MADE);
    expect(out.split('card of bob')).toHaveLength(2);
    expect(out).toContain('4 of 4 made.');
  });

  it('what is there already is told and left alone; a second run changes nothing more', async () => {
    const entries = [
      entryView({ target: '203.0.113.7', services: ['ssh'] }),
      entryView({ target: 'home.example.org', services: ['ssh'] }),
      entryView({ target: '203.0.113.8' }),
    ];
    rig.gateway.answer('list', async () => ({ entries: entries.map(listed), grants: [] }));
    rig.gateway.answer('users', async () => [userView({ name: 'bob' })]);
    const { status, out, err } = await run([file('rules.v4', RULES), file('knockd.conf', KNOCKD), '--yes']);
    expect([status, err, changes()]).toEqual([0, '', []]);
    expect(out).toContain('All of it is there already. Nothing was changed.');
  });

  it('where an entry is refused none is made, nor any user', async () => {
    rig.gateway.answer('addEntries', () => Promise.reject(new SallyportError('SP_NAMES_FULL', { most: 1000 })));
    const files = [file('rules.v4', RULES), file('knockd.conf', KNOCKD)];
    const { status, out, err } = await run([...files, '--yes']);
    expect(status).toBe(1);
    expect(changes().map(([name]) => name)).not.toContain('addUser');
    expect(err).toMatch(/^none of 3 entries is made: SP_NAMES_FULL: [^\n]+\n$/);
    expect(out).toContain('0 of 3 made; not: 203.0.113.7, home.example.org, 203.0.113.8.');
  });

  it('a user that fails is told with its line', async () => {
    rig.gateway.answer('addUser', () => Promise.reject(new SallyportError('SP_USER_EXISTS', { name: 'bob' })));
    const { status, out, err } = await run([file('rules.v4', RULES), file('knockd.conf', KNOCKD), '--yes']);
    expect(status).toBe(1);
    expect(err).toMatch(/^[^\n]*\/knockd\.conf:1: bob: SP_USER_EXISTS: [^\n]+\n$/);
    expect(out).toContain('3 of 4 made; not: bob.');
  });

  it('--json has all of it: the lines, what is made, what failed, and the cards of new users', async () => {
    const files = [file('rules.v4', RULES), file('knockd.conf', KNOCKD)];
    const made = JSON.parse((await run([...files, '--yes', '--json'])).out);
    expect(made).toMatchObject({
      files: [{ kind: 'iptables' }, { kind: 'knockd' }],
      entries: [{ target: '203.0.113.7', services: ['ssh'], note: 'Ann', from: [{ line: 3 }], present: false }, {}, {}],
      users: [{ name: 'bob', services: ['ssh'], ttl_s: 3600, sequence: 'kept', ports: 3, present: false }],
      changed: true,
      made: [{ what: 'entry', name: '203.0.113.7' }, {}, {}, { what: 'user', name: 'bob' }],
      failed: [],
      cards: [{ name: 'bob' }],
    });
    expect(made.files[0].lines[0]).toEqual({ line: 1, verdict: 'not_needed', words: 'the table filter begins' });
    rig.gateway.answer('addEntries', () => Promise.reject(new SallyportError('SP_STORE_FAILED', { problem: 'x' })));
    const { status, out } = await run([...files, '--yes', '--json']);
    expect(status).toBe(1);
    const failed = [{ what: 'entry', name: '203.0.113.7', code: 'SP_STORE_FAILED' }, {}, {}];
    expect(JSON.parse(out)).toMatchObject({ made: [], failed, cards: [] });
  });

  it("does not take what may never be let in, the host's own address among it", async () => {
    const rule = (source: string) => `-A INPUT -s ${source}/32 -p tcp -m tcp --dport 22 -j ACCEPT\n`;
    const rules = file('rules.v4', `*filter\n${['192.0.2.1', '224.0.0.1', '203.0.113.7'].map(rule).join('')}COMMIT\n`);
    const { status, out } = await run([rules, '--yes']);
    expect(status).toBe(0);
    expect(out).toMatch(/line 2 +NOT TAKEN +192\.0\.2\.1 may never be let in: it is the host's own address/);
    expect(out).toMatch(/line 3 +NOT TAKEN +224\.0\.0\.1 may never be let in: it is a multicast address/);
    expect(out).toContain('1 of 1 made.');
  });

  it('shows of a long file the first lines and what is for a person to look at, and makes all in one request', async () => {
    const rule = (n: number) => `-A INPUT -s 10.1.${n >> 8}.${n & 255}/32 -p tcp -m tcp --dport 22 -j ACCEPT\n`;
    const many = Array.from({ length: 5000 }, (_, n) => rule(n));
    many[3000] = '-A INPUT -s 203.0.113.9/32 -p tcp -m tcp --dport 9999 -j ACCEPT\n';
    const rules = file('rules.v4', `*filter\n${many.join('')}COMMIT\n`);
    const { status, out } = await run([rules, '--yes']);
    expect(status).toBe(0);
    expect(out.split('\n').length).toBeLessThan(40);
    expect(out).toMatch(/line 3002 +NOT TAKEN +203\.0\.113\.9: no service has tcp\/9999/);
    expect(out).toContain('… and 4,991 more, taken or not needed; --json has all of them');
    expect(out).toContain('… and 4,989 more (4,999 of all are new); --json has all of them');
    expect(out).toContain('4,999 of 4,999 made.');
    expect(changes()).toHaveLength(1);
  });

  it('makes nothing of more than one request takes', async () => {
    const rule = (n: number) => `-A INPUT -s 10.1.${n >> 8}.${n & 255}/32 -j ACCEPT\n`;
    const rules = file('rules.v4', `*filter\n${Array.from({ length: 20_001 }, (_, n) => rule(n)).join('')}COMMIT\n`);
    const { status, err } = await run([rules, '--yes']);
    expect([status, changes()]).toEqual([1, []]);
    expect(err).toMatch(/^SP_IMPORT_LARGE: [^\n]*20001[^\n]*\n$/);
  });

  it('opens what --services says to those for whom no port is named, if there is such a service', async () => {
    const rules = file('rules.v4', RULES);
    await run([rules, '--yes', '--services', 'ssh']);
    const entry = { target: '203.0.113.8', services: ['ssh'], note: 'rules.v4, line 5' };
    expect(changes().at(-1)).toEqual(['addEntries', { entries: expect.arrayContaining([entry]) }]);
    const { status, err } = await run([rules, '--yes', '--services', 'ftp']);
    expect(status).toBe(2);
    expect(err).toMatch(/^SP_SERVICE_UNKNOWN: /);
  });

  it('text of a file cannot steer the terminal', async () => {
    const rule = '-A INPUT -s 203.0.113.7 -m comment --comment "\u001b[2Jhi\u202e" -j \u001b[31mX\n';
    const { out } = await run([file('rules.v4', `${rule}${rule.replace('\u001b[31mX', 'ACCEPT')}`), '--yes']);
    expect(out).toContain('?[2Jhi?');
    for (const char of ['\u001b', '\u202e']) expect(out).not.toContain(char);
  });
});
