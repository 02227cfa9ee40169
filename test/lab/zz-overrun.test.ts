import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { packet } from '../support/lab/packets.js';

const USERS = 40;
const EACH = 750;
describe('overrun', () => {
  let lab: Lab;
  let daemon: LabDaemon;
  beforeAll(async () => {
    lab = await Lab.create();
    daemon = lab.daemon({ env: { NODE_OPTIONS: '--import /tmp/prof-hook.mjs' } });
    await daemon.start();
    await daemon.confirm();
    for (let i = 0; i < USERS; i++) await daemon.addUser(`u${i}`, { knock: `udp/${21_001 + 4 * i},udp/${25_001 + 4 * i}`, services: ['ssh'], max_addresses: 1000 });
  });
  afterAll(async () => { await daemon.kill(); await lab?.destroy(); });
  it('overrun', async () => {
    const packets = Array.from({ length: USERS * EACH }, (_, n) => {
      const source = `10.90.${n >> 8}.${n & 255}`;
      const i = n % USERS;
      return [21_001, 25_001].map((base) => packet({ source, destination: lab.gateway.ipv4, protocol: 'udp', port: base + 4 * i }));
    }).flat();
    daemon.signal('SIGSTOP');
    const t0 = performance.now();
    await lab.laptop.raw(lab.gateway, packets);
    console.log('sent', performance.now() - t0);
    const { stdout } = await lab.gateway.exec('cat', ['/proc/net/netlink']);
    console.log(stdout.split('\n').filter((l) => / 12 /.test(l) || l.includes('Drops')).join('\n'));
    daemon.signal('SIGCONT');
    const t1 = performance.now();
    await eventually(
      async () => {
        const t=performance.now();
        const r = (await daemon.api<{ open: number }[]>('GET', '/v1/users')).body.reduce((sum, { open }) => sum + open, 0);
        console.log(Math.round(t-t1), Math.round(performance.now()-t), r);
        return r;
      },
      (count) => count >= USERS * EACH,
      30_000,
    );
    console.log('answered', performance.now() - t1);
    await eventually(async () => (await lab.gateway.exec('nft', ['list', 'set', 'inet', 'sallyport', 'done_4'])).stdout, (t) => !t.includes('elements'), 10_000);
    const events = (await daemon.api<{ event: string }[]>('GET', '/v1/journal?limit=10000')).body;
    console.log(events.length, new Set(events.map(({ event }) => event)));
    console.log(daemon.output.split('\n').filter((l) => !l.includes('grant.opened')).join('\n').slice(-2000));
    const s = await daemon.json<{grants: unknown[]}>('status');
    console.log(s.grants.length);
    expect(1).toBe(1);
  });
});
