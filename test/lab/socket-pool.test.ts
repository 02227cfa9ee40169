/** What keeps the sockets from the pool, and what does not. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasTable } from '../support/lab/kernel.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { poorDaemon } from '../support/lab/poor.js';

describe('a pool that cannot be listened to as a whole keeps the daemon from starting:', () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = await Lab.create();
  });
  afterAll(() => lab?.destroy());

  it.each([
    ['udp', 'none', { port: 29_999 }],
    ['udp', 'nftables', { port: 25_000, family: 4 }],
    ['tcp', 'nftables', { port: 21_000 }],
  ] as const)('a port of it is taken (%s, driver %s)', async (protocol, driver, options) => {
    await lab.gateway.tell(protocol === 'udp' ? 'listenUdp' : 'listenTcp', options);
    const config = `firewall: {driver: ${driver}}\nknock: {source: socket, socket_protocols: [${protocol}]}`;
    const daemon = lab.daemon({ name: `taken-${protocol}-${driver}`, config });
    await daemon.writeConfig();
    const { code, stderr } = await daemon.refusesToStart();
    expect(code).toBe(1);
    expect(stderr).toMatch(
      new RegExp(`SP_POOL_TAKEN: ${protocol}/${options.port} .*another program has it.*knock\\.pool`),
    );
    expect(await hasTable(lab.gateway)).toBe(false);
  });

  it('too few files may be open', async () => {
    const daemon = lab.daemon({
      name: 'few',
      config: 'knock: {source: socket, pool: 22000-27999}',
      wrap: ['prlimit', '--nofile=6100:6100'],
    });
    await daemon.writeConfig();
    const { code, stderr } = await daemon.refusesToStart();
    expect(code).toBe(1);
    expect(stderr).toMatch(/SP_POOL_DESCRIPTORS: .*6000 sockets.*\(the limit is 6100\)\. Allow 6200 at least/);
    expect(await hasTable(lab.gateway)).toBe(false);
  });

  it('its ports are not for a plain user', async () => {
    const config = 'firewall: {driver: none}\nknock: {source: socket, pool: 600-1700}';
    const daemon = await poorDaemon(lab, { name: 'low', config });
    const { code, stderr } = await daemon.refusesToStart();
    expect(code).toBe(1);
    expect(stderr).toMatch(/SP_POOL_DENIED: .*udp\/600 .*knock\.pool from port 1024 on/);
  });

  it('but a machine without IPv6 does not: IPv4 alone is enough', async () => {
    await lab.gateway.exec('sysctl', ['-qw', 'net.ipv6.conf.all.disable_ipv6=1']);
    const daemon = lab.daemon({ name: 'four', config: 'knock: {source: socket, pool: 26000-26999}' });
    await daemon.start();
    await daemon.confirm();
    await daemon.addUser('alice', { knock: 'udp/26001,udp/26003', services: ['ssh'] });
    await lab.laptop.knock(lab.gateway.ipv4, steps('udp/26001,udp/26003'));
    await eventually(
      () => daemon.grants(),
      (grants) => grants.length === 1,
    );
  });
});
