import { describe, expect, it } from 'vitest';
import { type CliOptions, cli } from '../support/control-rig.ts';

const NOWHERE = '/nonexistent/control.sock';
const run = (line: string, options?: CliOptions) => cli(NOWHERE, line === '' ? [] : line.split(' '), options);

describe('bad usage is status 2 and one line with a code', () => {
  it.each([
    '',
    'user',
    'firewall',
    'statsu',
    'user ad x',
    'user add',
    'user add a b',
    'user set alice',
    'allow',
    'allow 203.0.113.7 --services ',
    'allow 203.0.113.7 --services ssh,,sip',
    'allow 203.0.113.7 --for',
    'allow  --for 8h',
    'status --nonsense',
    'user add bob --length 9',
    'user add bob --length three',
    'user add bob --max-addresses 0',
    'user add bob --knock tcp/21234,udp/28111 --length 4',
    'user add bob --knock-stdin --pin-stdin',
    'status --config ',
    'status extra',
    'audit',
    'user set alice --rotate 60s',
  ])('"%s"', async (line) => {
    const { status, err } = await run(line);
    expect(status).toBe(2);
    expect(err).toMatch(/^SP_USAGE: [^\n]+\n$/);
  });

  it('suggests what may have been meant', async () => {
    expect((await run('statsu')).err).toContain('Did you mean status?');
  });

  it('shows the help beside it where a command is missing', async () => {
    expect((await run('')).out).toContain('Usage: sallyport');
    expect((await run('user')).out).toContain('Usage: sallyport user');
  });

  it.each([
    'user add bob --pin=864864',
    'user add bob --pin 864864',
    'user add bob --knock=tcp/864864 --length=4',
    'user add bob --pni-stdin=864864',
    'user add bob 864864',
  ])('"%s" does not repeat what may be a secret', async (line) => {
    const { status, out, err } = await run(line);
    expect(status).toBe(2);
    expect(out + err).not.toContain('864864');
  });
});

describe('help', () => {
  it.each(['--help', 'help', '-h', 'user --help', 'user add --help', 'help user add', 'firewall restore --help'])(
    '"%s" is on stdout with status 0',
    async (line) => {
      const { status, out, err } = await run(line);
      expect([status, err]).toEqual([0, '']);
      expect(out).toMatch(/^Usage: sallyport /);
    },
  );

  it('names every command of this version and none of a later one', async () => {
    const { out } = await run('--help');
    for (const name of [
      'init',
      'import',
      'serve',
      'check',
      'status',
      'user',
      'allow',
      'revoke',
      'list',
      'whois',
      'log',
      'knock',
      'pair',
    ]) {
      expect(out).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'));
    }
    expect(out).not.toMatch(/^ {2}(audit|connect|profile)\b/m);
  });

  it('has no escape on a terminal either', async () => {
    expect((await run('--help', { tty: true })).out).not.toContain('\u001b');
  });

  it('--version prints the version', async () => {
    expect(await run('--version')).toMatchObject({ status: 0, out: '0.1.0\n', err: '' });
  });
});

describe('the configuration', () => {
  const FILE = '/etc/other.yaml';
  async function asked(line: string, env: Record<string, string> = {}): Promise<unknown> {
    let config: unknown = 'not asked';
    await run(line, {
      env,
      offline: {
        controlSocket: async (file) => {
          config = file;
          return NOWHERE;
        },
      },
    });
    return config;
  }

  it('is named before the command, after it, or by the environment', async () => {
    expect(await asked('status')).toBeUndefined();
    expect(await asked(`status --config ${FILE}`)).toBe(FILE);
    expect(await asked(`--config ${FILE} status`)).toBe(FILE);
    expect(await asked(`user --config=${FILE} list`)).toBe(FILE);
    expect(await asked(`user list --config=${FILE}`)).toBe(FILE);
    expect(await asked('status', { SALLYPORT_CONFIG: FILE })).toBe(FILE);
    expect(await asked('status', { SALLYPORT_CONFIG: '' })).toBeUndefined();
    expect(await asked(`status --config ${FILE}`, { SALLYPORT_CONFIG: '/else' })).toBe(FILE);
  });
});

describe('what needs no daemon', () => {
  async function handed(line: string): Promise<unknown[]> {
    const calls: unknown[] = [];
    const note = (name: string) => async (options: unknown) => {
      calls.push(name, options);
      return 7;
    };
    const { status } = await run(line, {
      env: { SALLYPORT_CONFIG: '/c' },
      offline: {
        serve: note('serve'),
        init: note('init'),
        check: note('check'),
        restore: note('restore'),
        panic: note('panic'),
        phoneTest: note('phoneTest'),
        knock: note('knock'),
        pair: note('pair'),
      },
    });
    expect(status).toBe(7);
    return calls;
  }

  it.each([
    ['serve --state-dir /s', ['serve', { config: '/c', stateDir: '/s' }]],
    ['serve', ['serve', { config: '/c' }]],
    ['init --yes --user bob --json', ['init', { config: '/c', yes: true, user: 'bob', json: true, lockdown: false }]],
    ['init', ['init', { config: '/c', yes: false, json: false, lockdown: false }]],
    ['init --lockdown', ['init', { config: '/c', yes: false, json: false, lockdown: true }]],
    ['check --json', ['check', { config: '/c', json: true }]],
    ['firewall restore --state-dir /s', ['restore', { config: '/c', stateDir: '/s', json: false }]],
    ['firewall panic', ['panic', { config: '/c', json: false }]],
    ['knock --help', ['knock', ['--help']]],
    ['help knock', ['knock', ['--help']]],
    ['help pair', ['pair', ['--help']]],
    ['--json init --yes', ['init', { config: '/c', yes: true, json: true, lockdown: false }]],
    ['--json check', ['check', { config: '/c', json: true }]],
    ['firewall --json panic', ['panic', { config: '/c', json: true }]],
    ['--json phone test', ['phoneTest', { config: '/c', asteriskDir: '/etc/asterisk', json: true }]],
    ['--json knock office', ['knock', ['--json', 'office']]],
    ['--json pair office --wait tcp/22 --json', ['pair', ['--json', 'office', '--wait', 'tcp/22', '--json']]],
    ['--json help knock', ['knock', ['--help']]],
    ['knock office --ports tcp/1 -- --json x', ['knock', ['office', '--ports', 'tcp/1', '--', '--json', 'x']]],
    ['--json --config /d knock office --config /e', ['knock', ['--json', 'office', '--config', '/e']]],
  ])('"%s" is handed over with its options, and its status is ours', async (line, expected) => {
    expect(await handed(line)).toEqual(expected);
  });
});

describe('a fault of ours', () => {
  const offline = { check: () => Promise.reject(new TypeError('x is not a function')) };

  it('is one line without a stack', async () => {
    const { status, err } = await run('check', { offline });
    expect(status).toBe(1);
    expect(err).toMatch(/^SP_COMMAND_FAILED: [^\n]*x is not a function[^\n]*\n$/);
  });

  it('shows its stack where it is asked for', async () => {
    const { err } = await run('check', { offline, env: { SALLYPORT_DEBUG: '1' } });
    expect(err).toContain('cli-usage.test.ts');
  });
});
