import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ControlClient } from '../../src/cli/client.ts';
import { SallyportError } from '../../src/core/errors.ts';
import { type ControlRig, cli, startRig } from '../support/control-rig.ts';
import {
  cardView,
  claimView,
  entryView,
  firewallView,
  grantView,
  listed,
  providerDetails,
  providerView,
  statusView,
  userView,
} from '../support/fake-gateway.ts';

let rig: ControlRig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

describe('what a command asks of the daemon', () => {
  it.each([
    ['status', ['status']],
    ['list', ['list']],
    ['whois 203.0.113.7', ['whois', '203.0.113.7']],
    ['allow 203.0.113.7', ['allow', { target: '203.0.113.7' }]],
    [
      'allow 2001:db8::/48 --services ssh,sip --for 8h --note home',
      ['allow', { target: '2001:db8::/48', services: ['ssh', 'sip'], for: '8h', note: 'home' }],
    ],
    ['revoke alice', ['revoke', { what: 'alice' }]],
    ['user add bob', ['addUser', { name: 'bob' }]],
    [
      'user add bob --services ssh --ttl 2h --knock tcp/21234,udp/28111 --account 1001 --max-addresses 2',
      [
        'addUser',
        { name: 'bob', services: ['ssh'], ttl: '2h', knock: 'tcp/21234,udp/28111', account: '1001', max_addresses: 2 },
      ],
    ],
    ['user add bob --length 4', ['addUser', { name: 'bob', length: 4 }]],
    ['user set alice --ttl 30m', ['setUser', 'alice', { ttl: '30m' }]],
    [
      'user set alice --approval callback --number +15550100',
      ['setUser', 'alice', { approval: 'callback', number: '+15550100' }],
    ],
    ['user list', ['users']],
    ['user show alice', ['user', 'alice']],
    ['user remove alice', ['removeUser', 'alice']],
    ['user card alice', ['card', 'alice']],
    ['user rotate alice', ['rotate', 'alice']],
    ['provider list', ['providers']],
    ['provider show voip.ms', ['provider', 'voip.ms']],
    ['provider enable voip.ms', ['enableProvider', 'voip.ms']],
    ['provider disable voip.ms', ['disableProvider', 'voip.ms']],
    ['log', ['journal', { since: '1d', limit: 10_000 }]],
    ['log --since 2h', ['journal', { since: '2h', limit: 10_000 }]],
    ['firewall status', ['firewall']],
    ['firewall apply', ['applyFirewall']],
    ['firewall apply --for 5m --force', ['applyFirewall', { for: '5m', force: true }]],
    ['firewall plan', ['planFirewall', {}]],
    ['revoke alice --force', ['revoke', { what: 'alice', force: true }]],
    ['allow 0.0.0.0/0 --force', ['allow', { target: '0.0.0.0/0', force: true }]],
    ['firewall confirm', ['confirmFirewall']],
    ['firewall rollback', ['rollbackFirewall']],
  ])('%s', async (line, asked) => {
    const { status, err } = await rig.run(line.split(' '));
    expect([status, err]).toEqual([0, '']);
    expect(rig.gateway.asked).toEqual([asked]);
  });
});

it.each(['revoke alice', 'firewall apply', 'firewall plan'])(
  '%s tells who is at the other end of its session',
  async (line) => {
    await rig.run(line.split(' '), { offline: { ownPeers: async () => ['203.0.113.7'] } });
    expect(rig.gateway.asked.at(-1)?.at(-1)).toMatchObject({ peers: ['203.0.113.7'] });
  },
);

describe('--json', () => {
  it.each([
    ['status', statusView()],
    ['list', { entries: [listed(entryView())], grants: [listed(grantView())] }],
    [
      'allow 203.0.113.7',
      { grant: null, entry: entryView({ target: '203.0.113.7' }), listened_to: [], recorded: true },
    ],
    ['revoke alice', { revoked: [grantView()], removed: [], dropped: [claimView()], recorded: true }],
    ['user add bob', cardView({ name: 'bob' })],
    ['user list', [userView()]],
    ['user show alice', userView()],
    ['user remove alice', { removed: userView(), revoked: [grantView()] }],
    ['user card alice', cardView()],
    ['provider list', [providerView()]],
    ['provider show voip.ms', providerDetails()],
    ['provider enable voip.ms', providerDetails()],
    ['provider disable voip.ms', providerView({ status: 'off', by: null })],
    ['firewall status', firewallView()],
  ])('%s prints the answer of the daemon, wherever the option stands', async (line, answer) => {
    for (const argv of [`${line} --json`, `--json ${line}`]) {
      const { status, out } = await rig.run(argv.split(' '));
      expect(status).toBe(0);
      expect(JSON.parse(out)).toEqual(answer);
    }
  });

  it('keeps a list of thousands whole', async () => {
    const grants = Array.from({ length: 3000 }, (_, i) => listed(grantView({ id: `G${i}` })));
    rig.gateway.answer('list', async () => ({ entries: [], grants }));
    expect(JSON.parse((await rig.run(['list', '--json'])).out)).toEqual({ entries: [], grants });
  });
});

describe('exit status', () => {
  it('1 and one line where the daemon refuses, with its code and what to do', async () => {
    rig.gateway.answer('allow', () =>
      Promise.reject(new SallyportError('SP_ADDRESS_REFUSED', { address: '127.0.0.1', reason: 'a loopback address' })),
    );
    const { status, out, err } = await rig.run(['allow', '127.0.0.1']);
    expect([status, out]).toEqual([1, '']);
    expect(err).toBe(
      'SP_ADDRESS_REFUSED: 127.0.0.1 may never be let in: it is a loopback address. ' +
        'Give the address that the other machine is seen with from here.\n',
    );
  });

  it('2 where the words were wrong, though only the daemon could tell', async () => {
    rig.gateway.answer('allow', () => Promise.reject(new SallyportError('SP_DURATION_INVALID', { value: '3x' })));
    const { status, err } = await rig.run(['allow', '203.0.113.7', '--for', '3x']);
    expect(status).toBe(2);
    expect(err).toMatch(/^SP_DURATION_INVALID: "3x" is not a duration\. Try .*\n$/);
  });

  it('1 where there is nothing by that name to revoke', async () => {
    rig.gateway.answer('revoke', () => Promise.reject(new SallyportError('SP_NOT_FOUND', { what: 'nobody' })));
    for (const argv of [
      ['revoke', 'nobody'],
      ['revoke', 'nobody', '--json'],
    ]) {
      const { status, out, err } = await rig.run(argv);
      expect([status, out]).toEqual([1, '']);
      expect(err).toMatch(/^SP_NOT_FOUND: [^\n]*"nobody"[^\n]*\n$/);
    }
  });

  it('0 where a user is known and has nothing open, or no more than a claim', async () => {
    rig.gateway.answer('revoke', async () => ({ revoked: [], removed: [], dropped: [], recorded: true }));
    expect(await rig.run(['revoke', 'alice'])).toEqual({ status: 0, out: 'nothing of alice is open\n', err: '' });
    rig.gateway.answer('revoke', async () => ({ revoked: [], removed: [], dropped: [claimView()], recorded: true }));
    const out = 'dropped: 203.0.113.9 (alice), which waited for a call\n';
    expect(await rig.run(['revoke', 'alice'])).toEqual({ status: 0, out, err: '' });
  });

  it('1 where the daemon fails inside, without its cause', async () => {
    rig.gateway.answer('status', () => Promise.reject(new Error('the secret cause')));
    const { status, err } = await rig.run(['status']);
    expect(status).toBe(1);
    expect(err).toMatch(/^SP_INTERNAL: /);
    expect(err).not.toContain('secret');
  });
});

describe('a daemon that is not as it should be', () => {
  let dir: string;
  let other: Server | undefined;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'sp-'));
  });
  afterEach(async () => {
    other?.closeAllConnections();
    await new Promise<void>((resolve) => (other ? other.close(() => resolve()) : resolve()));
    other = undefined;
    rmSync(dir, { recursive: true });
  });

  async function impostor(listener: RequestListener): Promise<string> {
    const path = join(dir, 'other.sock');
    other = createServer(listener);
    await new Promise<void>((resolve) => other?.listen(path, resolve));
    return path;
  }

  it('is not running: says how to start it', async () => {
    const { status, err } = await cli(join(dir, 'none.sock'), ['status']);
    expect(status).toBe(1);
    expect(err).toMatch(/^SP_DAEMON_UNREACHABLE: .*npm start or systemctl start sallyport.*\n$/);
  });

  it('may not be talked to: says who may', async () => {
    chmodSync(rig.socket, 0);
    chmodSync(dirname(rig.socket), 0o755);
    const root = process.getuid?.() === 0;
    if (root) process.seteuid?.(65534);
    try {
      const { status, err } = await rig.run(['status']);
      expect(status).toBe(1);
      expect(err).toMatch(/^SP_DAEMON_FORBIDDEN: .*root.*group sallyport.*\n$/);
    } finally {
      if (root) process.seteuid?.(0);
    }
  });

  it('hangs: the command does not', async () => {
    const path = await impostor(() => {});
    await expect(new ControlClient(path, 50).call('status', {})).rejects.toMatchObject({ code: 'SP_DAEMON_TIMEOUT' });
  });

  it('stops in the middle of its answer', async () => {
    const path = await impostor((_request, response) => {
      response.writeHead(200, { 'content-length': 1000 });
      response.write('{"ready":', () => response.destroy());
    });
    expect(await cli(path, ['status'])).toMatchObject({
      status: 1,
      err: expect.stringMatching(/^SP_DAEMON_STOPPED: /),
    });
  });

  it.each([
    ['no JSON', 200, 'hello'],
    ['another shape', 200, '{"ready":"perhaps"}'],
    ['an error of another shape', 500, '{"error":"x"}'],
  ])('answers %s', async (_, code, body) => {
    const path = await impostor((_request, response) => void response.writeHead(code).end(body));
    expect(await cli(path, ['status'])).toMatchObject({
      status: 1,
      out: '',
      err: expect.stringMatching(/^SP_DAEMON_ANSWER: .*\n$/),
    });
  });

  it('refuses with a code of a later version, in a text that would steer the terminal', async () => {
    const error = { code: 'SP_LATER', message: 'no\u001b[2J\nmore', fix: 'wait' };
    const path = await impostor((_request, response) => void response.writeHead(409).end(JSON.stringify({ error })));
    expect(await cli(path, ['status'])).toMatchObject({ status: 1, err: 'SP_LATER: no?[2J?more. wait\n' });
  });
});
