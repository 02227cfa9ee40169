import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseSession } from '../../src/host/logind.ts';
import { sshPeers } from '../../src/host/ssh-peers.ts';
import { sessionUser } from '../../src/host/sshd.ts';
import { Machine, type Row, utmp } from '../support/host-machine.ts';

const LISTENER = { name: 'sshd', title: 'sshd: /usr/sbin/sshd -D [listener] 1 of 10-100 startups', sockets: [10] };
const LISTENING: Row = { inode: 10, local: '0.0.0.0:22', state: 'listening' };
const SERVED: Row = { inode: 20, local: '192.0.2.1:22', remote: '203.0.113.7:50000', state: 'established' };
/** Somebody at a port that the session forwards to its user. */
const FORWARDED: Row = { inode: 21, local: '192.0.2.1:8080', remote: '198.51.100.66:40000', state: 'established' };
/** Somebody whom sshd has not authenticated. */
const GUESSING: Row = { inode: 30, local: '192.0.2.1:22', remote: '198.51.100.99:41000', state: 'established' };
const TOLD = { SSH_CONNECTION: '203.0.113.7 50000 192.0.2.1 22' };
const SELF = 400;

let machine: Machine;
beforeEach(() => {
  machine = new Machine().process(1, { name: 'systemd', parent: 0 }).process(100, LISTENER);
});
afterEach(() => machine.remove());

/** sshd's listener, a session of root without a monitor, a shell, sudo, this process. */
function rootSession(sockets: readonly number[] | 'hidden', rows: readonly Row[]): Machine {
  return machine
    .tcp([LISTENING, ...rows])
    .process(200, { name: 'sshd', parent: 100, title: 'sshd: root@pts/0', sockets })
    .process(300, { name: 'bash', parent: 200, title: '-bash', env: TOLD })
    .process(SELF, { name: 'node', parent: 300 });
}

function logind(properties: string): void {
  machine.answers.set('loginctl list-sessions --no-legend', '      7 1000 alice - pts/0 active no -\n');
  machine.answers.set(
    'loginctl show-session 7 -p Remote -p RemoteHost -p Service -p State -p Name -p Leader',
    properties,
  );
}

describe('the session that we run in', () => {
  test('its peer is the other end of the socket that its sshd holds', async () => {
    const host = rootSession([20], [SERVED, GUESSING]).host(SELF);
    expect(await sshPeers(host)).toEqual([{ address: '203.0.113.7', how: 'this session', user: 'root' }]);
  });

  test('an sshd-session of OpenSSH 9.8 or later counts, with its monitor', async () => {
    machine
      .tcp([LISTENING, SERVED, GUESSING])
      .process(150, { name: 'sshd-session', parent: 100, title: 'sshd-session: alice [priv]', sockets: [20, 77] })
      .process(200, { name: 'sshd-session', parent: 150, title: 'sshd-session: alice@notty', sockets: [20, 78] })
      .process(300, { name: 'sudo', parent: 200 })
      .process(SELF, { name: 'node', parent: 300 });
    expect(await sshPeers(machine.host(SELF))).toEqual([
      { address: '203.0.113.7', how: 'this session', user: 'alice' },
    ]);
  });

  test('an IPv4 peer on an IPv6 socket is the IPv4 address', async () => {
    const row = { ...SERVED, local: '[::ffff:192.0.2.1]:22', remote: '[::ffff:203.0.113.7]:50000' };
    expect((await sshPeers(rootSession([20], [row]).host(SELF))).map(({ address }) => address)).toEqual([
      '203.0.113.7',
    ]);
  });

  test('whoever comes to a port that the session forwards is not its peer', async () => {
    const host = rootSession([21, 20], [FORWARDED, SERVED]).host(SELF);
    expect((await sshPeers(host)).map(({ address }) => address)).toEqual(['203.0.113.7']);
  });

  test('a session that did not come by TCP has no peer, even where it forwards a port', async () => {
    machine
      .tcp([LISTENING, FORWARDED])
      .process(200, { name: 'sshd', parent: 100, title: 'sshd: root@pts/0', sockets: [21] })
      .process(300, { name: 'bash', parent: 200, env: { SSH_CONNECTION: 'UNKNOWN 65535 UNKNOWN 65535' } })
      .process(SELF, { name: 'node', parent: 300 });
    expect(await sshPeers(machine.host(SELF))).toEqual([]);
  });

  test('without the word of the shell, the monitor tells the served connection from forwarded ones', async () => {
    machine
      .tcp([LISTENING, FORWARDED, SERVED])
      .process(150, { name: 'sshd', parent: 100, title: 'sshd: alice [priv]', sockets: [20] })
      .process(200, { name: 'sshd', parent: 150, title: 'sshd: alice@pts/0', sockets: [21, 20] })
      .process(SELF, { name: 'node', parent: 200 });
    expect((await sshPeers(machine.host(SELF))).map(({ address }) => address)).toEqual(['203.0.113.7']);
  });

  test('what the listener has just accepted is nobody', async () => {
    machine
      .tcp([LISTENING, GUESSING])
      .process(90, { ...LISTENER, sockets: [10, 30] })
      .process(SELF, { name: 'node', parent: 90 });
    expect(await sshPeers(machine.host(SELF))).toEqual([]);
  });

  test('a program that only has sshd in its name is no sshd', async () => {
    machine
      .tcp([SERVED])
      .process(200, { name: 'my (sshd) x', parent: 1, title: 'sshd: root@pts/0', sockets: [20] })
      .process(SELF, { name: 'node', parent: 200 });
    expect(await sshPeers(machine.host(SELF))).toEqual([]);
  });

  test('a parent with parentheses in its name does not end the search', async () => {
    rootSession([20], [SERVED])
      .process(350, { name: 'a) (b', parent: 300 })
      .process(351, { name: 'node', parent: 350 });
    expect((await sshPeers(machine.host(351))).map(({ address }) => address)).toEqual(['203.0.113.7']);
  });

  test('the tables are those of the network namespace that sshd lives in', async () => {
    machine
      .tcp([], 'net-ours')
      .tcp([SERVED])
      .process(200, { name: 'sshd', parent: 100, title: 'sshd: root@pts/0', sockets: [20] })
      .process(SELF, { name: 'node', parent: 200, network: 'net-ours' });
    expect((await sshPeers(machine.host(SELF))).map(({ address }) => address)).toEqual(['203.0.113.7']);
  });

  test('loopback and our own addresses are left out', async () => {
    const loopback = { ...SERVED, remote: '127.0.0.1:50000' };
    expect(await sshPeers(rootSession([20], [loopback]).host(SELF))).toEqual([]);
    machine.remove();
    machine = new Machine().process(100, LISTENER);
    const entry = {
      address: '203.0.113.7',
      netmask: '',
      family: 'IPv4',
      mac: '',
      internal: false,
      cidr: null,
    } as const;
    expect(await sshPeers(rootSession([20], [SERVED]).host(SELF, { interfaces: () => ({ eth0: [entry] }) }))).toEqual(
      [],
    );
  });
});

describe('where sshd is out of sight', () => {
  test('SSH_CONNECTION tells the peer while that connection stands', async () => {
    machine.tcp([LISTENING, SERVED, GUESSING]).process(SELF, { name: 'node', parent: 0 });
    expect(await sshPeers(machine.host(SELF, { env: TOLD }))).toEqual([
      { address: '203.0.113.7', how: 'this session', user: null },
    ]);
  });

  test('an ancestor is asked where sudo has dropped the variable', async () => {
    const host = rootSession('hidden', [SERVED]).host(SELF);
    expect((await sshPeers(host)).map(({ address }) => address)).toEqual(['203.0.113.7']);
  });

  test.each([
    ['another connection from there', { ...SERVED, remote: '203.0.113.7:50001' }],
    ['a connection that is closing', { ...SERVED, state: 'closing' } as const],
    ['a connection to another port', { ...SERVED, local: '192.0.2.1:80' }],
  ])('%s does not make an old variable true', async (_, row) => {
    machine.tcp([row]).process(SELF, { name: 'node', parent: 0, env: TOLD });
    expect(await sshPeers(machine.host(SELF, { env: TOLD }))).toEqual([]);
  });

  test('where there is no /proc at all, the variable is all we have', async () => {
    machine.process(SELF, { name: 'node' });
    const host = machine.host(SELF, { procRoot: `${machine.root}/nothing`, env: TOLD });
    expect((await sshPeers(host)).map(({ address }) => address)).toEqual(['203.0.113.7']);
  });
});

describe('login sessions', () => {
  const ALICE = ['Name=alice', 'Remote=yes', 'RemoteHost=203.0.113.7', 'Service=sshd', 'Leader=150', 'State=active'];
  const without = (name: string, ...more: string[]) => [
    ...ALICE.filter((line) => !line.startsWith(`${name}=`)),
    ...more,
  ];

  test('a remote session of sshd tells its peer', async () => {
    machine.tcp([]).process(SELF, { name: 'node' });
    logind(ALICE.join('\n'));
    expect(await sshPeers(machine.host(SELF))).toEqual([
      { address: '203.0.113.7', how: 'login session', user: 'alice' },
    ]);
  });

  test.each([
    ['a session at the console', without('Remote', 'Remote=no')],
    ['a session of another service', without('Service', 'Service=xrdp-sesman')],
    ['a session that has lost its connection', without('State', 'State=closing')],
  ])('%s does not count', (_, lines) => {
    expect(parseSession(lines.join('\n'))).toBeUndefined();
  });

  test('a host name is not looked up; the socket of the leader tells its address', async () => {
    machine.tcp([SERVED]).process(SELF, { name: 'node' });
    logind(without('RemoteHost', 'RemoteHost=home.example.org').join('\n'));
    const host = machine.host(SELF);
    expect(await sshPeers(host)).toEqual([]);
    machine.process(150, { name: 'sshd', parent: 100, title: 'sshd: alice [priv]', sockets: [20] });
    expect(await sshPeers(host)).toEqual([{ address: '203.0.113.7', how: 'login session', user: 'alice' }]);
  });
});

describe('login records', () => {
  const RECORD = { pid: 150, user: 'alice', host: '203.0.113.7', address: '203.0.113.7' };
  const MONITOR = { name: 'sshd', parent: 100, title: 'sshd: alice [priv]', sockets: [20] };

  test('a record of a living session of sshd tells its peer', async () => {
    machine
      .tcp([SERVED])
      .process(SELF, { name: 'node' })
      .process(150, MONITOR)
      .file('utmp', utmp([RECORD]));
    expect(await sshPeers(machine.host(SELF))).toEqual([
      { address: '203.0.113.7', how: 'login record', user: 'alice' },
    ]);
  });

  test.each([
    ['whose process is gone', undefined],
    ['whose process id has gone to another program', { name: 'nginx', sockets: [20] }],
    ['whose process id has gone to the sshd of somebody else', { ...MONITOR, sockets: [30] }],
  ])('a record %s does not count', async (_, process) => {
    machine
      .tcp([SERVED, GUESSING])
      .process(SELF, { name: 'node' })
      .file('utmp', utmp([RECORD]));
    if (process !== undefined) machine.process(150, process);
    expect(await sshPeers(machine.host(SELF))).toEqual([]);
  });

  test('a user cannot make a record for an address that his session forwards to', async () => {
    machine
      .tcp([SERVED, FORWARDED])
      .process(SELF, { name: 'node' })
      .process(150, MONITOR)
      .process(200, { name: 'sshd', parent: 150, title: 'sshd: alice@pts/0', sockets: [20, 21] })
      .process(300, { name: 'xterm', parent: 200 })
      .file('utmp', utmp([{ pid: 300, user: 'alice', host: '198.51.100.66' }]));
    expect(await sshPeers(machine.host(SELF))).toEqual([]);
  });

  test('a user cannot make a record through a program that calls itself sshd', async () => {
    machine
      .tcp([SERVED, FORWARDED])
      .process(SELF, { name: 'node' })
      .process(150, MONITOR)
      .process(200, { name: 'sshd', parent: 150, title: 'sshd: alice@pts/0', uid: 1000, sockets: [20] })
      .process(300, { name: 'sshd', parent: 200, title: 'sshd: alice@pts/1', uid: 1000, sockets: [21] })
      .file('utmp', utmp([{ pid: 300, user: 'alice', host: '198.51.100.66' }]));
    expect(await sshPeers(machine.host(SELF))).toEqual([]);
  });

  test('where descriptors may not be read, the record of a living session counts', async () => {
    machine
      .tcp([])
      .process(SELF, { name: 'node' })
      .process(150, { ...MONITOR, sockets: 'hidden' });
    machine.file('utmp', utmp([RECORD]));
    expect((await sshPeers(machine.host(SELF))).map(({ address }) => address)).toEqual(['203.0.113.7']);
  });
});

describe('all sources together', () => {
  test('an address is given once, by the strongest proof, with the user that any of them knows', async () => {
    machine.tcp([SERVED]).process(SELF, { name: 'node', env: TOLD });
    logind('Name=alice\nRemote=yes\nRemoteHost=::ffff:203.0.113.7\nService=sshd\nState=online\n');
    expect(await sshPeers(machine.host(SELF))).toEqual([
      { address: '203.0.113.7', how: 'this session', user: 'alice' },
    ]);
  });

  test('a machine with nothing to read has no peers, and no error', async () => {
    const host = machine.host(SELF, { procRoot: '/nonexistent' });
    expect(await sshPeers(host)).toEqual([]);
  });
});

test.each([
  ['sshd: alice@pts/0', 'alice'],
  ['sshd: alice@corp.example@notty', 'alice@corp.example'],
  ['sshd-session: alice [priv]', 'alice'],
  ['sshd: root@pts/0,pts/1', 'root'],
  ['sshd: [accepted]', null],
  ['/usr/sbin/sshd -D', null],
])('the title "%s" names %s', (title, user) => {
  expect(sessionUser({ pid: 1, parent: 1, name: 'sshd', title })).toBe(user);
});
