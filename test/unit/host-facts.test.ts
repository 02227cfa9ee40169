import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bootId, localPortRange, ownAddresses } from '../../src/host/addresses.ts';
import { SystemClock } from '../../src/host/clock.ts';
import { foreignFirewalls } from '../../src/host/foreign-firewalls.ts';
import { localHost } from '../../src/host/host.ts';
import { asteriskPresent, exposedServices, listeners } from '../../src/host/listeners.ts';
import { Machine } from '../support/host-machine.ts';

const SELF = 400;
let machine: Machine;
beforeEach(() => {
  machine = new Machine().process(SELF, { name: 'node' });
});
afterEach(() => machine.remove());

describe('our own addresses', () => {
  const entry = (address: string) =>
    ({ address, netmask: '', family: 'IPv4', mac: '', internal: false, cidr: null }) as const;

  test('are canonical, once each, without zones', () => {
    const interfaces = () => ({
      lo: [entry('127.0.0.1')],
      eth0: [entry('2001:DB8::1'), entry('fe80::1%eth0'), entry('127.0.0.1')],
    });
    expect([...ownAddresses({ interfaces })]).toEqual(['127.0.0.1', '2001:db8::1', 'fe80::1']);
  });

  test('are none where the question is forbidden', () => {
    const interfaces = () => {
      throw new Error('not permitted');
    };
    expect(ownAddresses({ interfaces }).size).toBe(0);
  });

  test('hold loopback on this machine', () => {
    expect([...ownAddresses()].some((address) => address === '127.0.0.1' || address === '::1')).toBe(true);
  });
});

describe('what the kernel tells', () => {
  test('the local port range and the boot id', async () => {
    machine.file('sys/net/ipv4/ip_local_port_range', '32768\t60999\n');
    machine.file('sys/kernel/random/boot_id', '2f8041a7-b9bc-4b87-b9fe-569d14f8af60\n');
    expect(await localPortRange(machine.root)).toEqual({ first: 32768, last: 60999 });
    expect(await bootId(machine.root)).toBe('2f8041a7-b9bc-4b87-b9fe-569d14f8af60');
  });

  test('nothing where it does not say or says nonsense', async () => {
    expect(await localPortRange(machine.root)).toBeUndefined();
    expect(await bootId(machine.root)).toBeUndefined();
    machine.file('sys/net/ipv4/ip_local_port_range', '60999\t32768\n');
    expect(await localPortRange(machine.root)).toBeUndefined();
  });
});

describe('the clock of this machine', () => {
  test('counts the monotonic time in milliseconds from the start of the machine, and never back', () => {
    const clock = new SystemClock();
    const [first, second] = [clock.monotonic(), clock.monotonic()];
    expect(second).toBeGreaterThanOrEqual(first);
    expect(Math.abs(first - Number(process.hrtime.bigint() / 1_000_000n))).toBeLessThan(5000);
    expect(Math.abs(clock.now() - Date.now())).toBeLessThan(5000);
  });
});

describe('what listens', () => {
  const UDP =
    '  sl\n  1: 00000000:13C4 00000000:0000 07 0:0 0:0 0     0        0 40 2\n  2: 00000000:9C40 07710 07 x\n';

  beforeEach(() => {
    machine.file('net-main/udp', UDP).tcp([
      { inode: 10, local: '0.0.0.0:2222', state: 'listening' },
      { inode: 11, local: '[::]:2222', state: 'listening' },
      { inode: 12, local: '0.0.0.0:443', state: 'listening' },
      { inode: 13, local: '127.0.0.1:5038', state: 'listening' },
      { inode: 14, local: '[::1]:5061', state: 'listening' },
      { inode: 15, local: '0.0.0.0:111', state: 'listening' },
      { inode: 16, local: '192.0.2.1:443', remote: '203.0.113.7:5000', state: 'established' },
    ]);
    machine
      .process(1, { name: 'systemd', parent: 0, sockets: [12, 15] })
      .process(100, { name: 'sshd', title: '/usr/sbin/sshd -D', sockets: [10, 11] })
      .process(101, { name: 'nginx', sockets: [12, 16] })
      .process(102, { name: 'asterisk', sockets: [13, 14, 40] });
  });

  test('is named with its program, each port once', async () => {
    expect(await listeners(machine.host(SELF))).toEqual([
      { protocol: 'tcp', port: 111, program: 'systemd', loopback: false },
      { protocol: 'tcp', port: 443, program: 'nginx', loopback: false },
      { protocol: 'tcp', port: 2222, program: 'sshd', loopback: false },
      { protocol: 'tcp', port: 5038, program: 'asterisk', loopback: true },
      { protocol: 'udp', port: 5060, program: 'asterisk', loopback: false },
      { protocol: 'tcp', port: 5061, program: 'asterisk', loopback: true },
    ]);
  });

  test('is sorted into services, without what only this machine can reach', async () => {
    const { ssh, sip, web } = exposedServices(await listeners(machine.host(SELF)));
    const ports = [ssh, sip, web].map((found) => found.map(({ protocol, port }) => `${protocol}/${port}`));
    expect(ports).toEqual([['tcp/2222'], ['udp/5060'], ['tcp/443']]);
  });

  test('a running Asterisk is seen', async () => {
    expect(await asteriskPresent(machine.host(SELF))).toBe(true);
    expect(await asteriskPresent(localHost({ procRoot: '/nonexistent' }))).toBe(false);
  });
});

describe('packet filters of others', () => {
  const UNITS = 'firewalld.service nftables.service netfilter-persistent.service shorewall.service';

  test('are named one by one, without our own table', async () => {
    machine.answers.set(
      'nft list tables',
      'table ip filter\ntable inet sallyport\ntable inet f2b-table\ntable ip sallyport\n',
    );
    machine.answers.set(
      `systemctl show ${UNITS} -p Id -p ActiveState`,
      'Id=firewalld.service\nActiveState=active\n\nId=nftables.service\nActiveState=inactive\n',
    );
    machine.file('net-main/ip_tables_names', 'filter\nnat\n').file('net-main/ip6_tables_names', '');
    machine.file('etc/ufw/ufw.conf', '# set to yes to start on boot\nENABLED=yes\nLOGLEVEL=low\n');
    const found = await foreignFirewalls(machine.host(SELF));
    expect(found.map(({ name }) => name)).toEqual([
      'nftables table ip filter',
      'nftables table inet f2b-table',
      'nftables table ip sallyport',
      'iptables-legacy',
      'ufw',
      'firewalld.service',
    ]);
    expect(found.find(({ name }) => name === 'iptables-legacy')?.remark).toContain('filter, nat');
  });

  test('a bare machine has none', async () => {
    machine.file('etc/ufw/ufw.conf', 'ENABLED=no\n');
    expect(await foreignFirewalls(machine.host(SELF))).toEqual([]);
  });
});

describe('running a program', () => {
  const { run } = localHost();

  test('gives what it prints', async () => {
    expect(await run('echo', ['$(id) ; `id`'])).toBe('$(id) ; `id`\n');
  });

  test('gives nothing where it is missing or fails', async () => {
    expect(await run('no-such-program-here', [])).toBeUndefined();
    expect(await run('false', [])).toBeUndefined();
  });
});
