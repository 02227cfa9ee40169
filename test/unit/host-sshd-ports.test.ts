import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseEffectiveConfig, parseSocketUnits, sshdPorts } from '../../src/host/sshd-ports.ts';
import { Machine, type Row } from '../support/host-machine.ts';

const SELF = 400;
const SHOW = 'systemctl show ssh.socket sshd.socket -p ActiveState -p Listen';
const ACTIVE = 'Listen=0.0.0.0:2022 (Stream)\nListen=[::]:2022 (Stream)\nActiveState=active\n\nActiveState=inactive\n';
const LISTENING: Row = { inode: 10, local: '0.0.0.0:2222', state: 'listening' };

let machine: Machine;
beforeEach(() => {
  machine = new Machine().process(SELF, { name: 'node' });
});
afterEach(() => machine.remove());

describe('the ports of sshd', () => {
  test.each([
    ['of OpenSSH 8.2 and later', 'sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups'],
    ['of older versions', '/usr/sbin/sshd -D'],
  ])('are those that the listener %s listens on', async (_, title) => {
    const second: Row = { inode: 11, local: '[::]:22', state: 'listening' };
    machine.tcp([LISTENING, second]).process(100, { name: 'sshd', title, sockets: [10, 11] });
    machine.answers.set('sshd -T', 'port 2200\n');
    expect(await sshdPorts(machine.host(SELF))).toEqual([
      { port: 22, from: 'listening sshd' },
      { port: 2222, from: 'listening sshd' },
    ]);
  });

  test('a port that a session forwards is none of them', async () => {
    const forwarded: Row = { inode: 12, local: '0.0.0.0:8080', state: 'listening' };
    machine
      .tcp([LISTENING, forwarded])
      .process(100, { name: 'sshd', title: '/usr/sbin/sshd -D', sockets: [10] })
      .process(200, { name: 'sshd', title: 'sshd: root@pts/0', sockets: [12] });
    expect((await sshdPorts(machine.host(SELF))).map(({ port }) => port)).toEqual([2222]);
  });

  test('a port on loopback counts only where there is no other', async () => {
    const inner: Row = { inode: 13, local: '127.0.0.1:2200', state: 'listening' };
    machine.tcp([LISTENING, inner]).process(100, { name: 'sshd', title: '/usr/sbin/sshd', sockets: [10, 13] });
    const host = machine.host(SELF);
    expect((await sshdPorts(host)).map(({ port }) => port)).toEqual([2222]);
    machine.tcp([inner]);
    expect((await sshdPorts(host)).map(({ port }) => port)).toEqual([2200]);
  });

  test('an sshd of another network namespace is not ours', async () => {
    machine.tcp([]).tcp([LISTENING], 'net-container');
    machine.process(100, { name: 'sshd', title: '/usr/sbin/sshd', sockets: [10], network: 'net-container' });
    expect(await sshdPorts(machine.host(SELF))).toEqual([{ port: 22, from: 'default' }]);
  });

  test('an active socket unit goes before the configuration that sshd would ignore', async () => {
    machine.answers.set(SHOW, ACTIVE).set('sshd -T', 'port 22\n');
    expect(await sshdPorts(machine.host(SELF))).toEqual([{ port: 2022, from: 'socket unit' }]);
  });

  test('the session that we run in tells its port where sshd is out of sight', async () => {
    machine.answers.set('sshd -T', 'port 22\n');
    machine.tcp([{ inode: 20, local: '192.0.2.1:2299', remote: '203.0.113.7:50000', state: 'established' }]);
    const host = machine.host(SELF, { env: { SSH_CONNECTION: '203.0.113.7 50000 192.0.2.1 2299' } });
    expect(await sshdPorts(host)).toEqual([{ port: 2299, from: 'this session' }]);
  });

  test('the configuration is next, and 22 where nothing tells', async () => {
    const host = machine.host(SELF);
    expect(await sshdPorts(host)).toEqual([{ port: 22, from: 'default' }]);
    machine.answers.set('sshd -T', 'port 22\nport 2022\naddressfamily any\n');
    expect(await sshdPorts(host)).toEqual([
      { port: 22, from: 'sshd configuration' },
      { port: 2022, from: 'sshd configuration' },
    ]);
  });
});

describe('what programs print', () => {
  test('ports of sshd -T: addresses with ports of their own win', () => {
    expect(parseEffectiveConfig('port 22\nlistenaddress [::]:2222\nlistenaddress 0.0.0.0:2223\n')).toEqual([
      2222, 2223,
    ]);
    expect(parseEffectiveConfig('port 22\nport 2022\nx11forwarding no\nport forwarding\n')).toEqual([22, 2022]);
  });

  test('socket units: only active ones, only streams with a port', () => {
    expect(parseSocketUnits(ACTIVE)).toEqual([2022, 2022]);
    expect(parseSocketUnits('Listen=[::]:22 (Stream)\nActiveState=inactive\n')).toEqual([]);
    const odd = [
      '22 (Stream)',
      'vsock:2:23 (Stream)',
      '/run/ssh:24 (Datagram)',
      '/run/ssh (Stream)',
      '0.0.0.0:25 (Datagram)',
    ];
    expect(parseSocketUnits([...odd.map((value) => `Listen=${value}`), 'ActiveState=active'].join('\n'))).toEqual([22]);
  });
});
