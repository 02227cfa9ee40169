import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import { mustNft } from '../support/lab/kernel.js';
import { Lab } from '../support/lab/lab.js';

const WITHOUT_KOFFI = fileURLToPath(new URL('../support/lab/without-koffi.mjs', import.meta.url));

interface Listed {
  readonly entries: { target: string; last_seen: string | null }[];
  readonly grants: { address: string; last_seen: string | null }[];
}

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.create();
  await lab.gateway.tell('listenTcp', { port: 22 });
});
afterEach(async () => {
  await lab.endDaemons();
  await mustNft(lab.gateway, 'flush ruleset');
});
afterAll(() => lab?.destroy());

const sees = (host: typeof lab.laptop, address = lab.gateway.ipv4) => host.tcp(address, 22, { timeout: 300 });
const lastSeen = async (daemon: LabDaemon, address: string) =>
  (await daemon.json<{ last_seen: string | null }>('whois', address)).last_seen;
/** Seconds since then. */
const ago = (time: string | null) => (Date.now() - Date.parse(time ?? '')) / 1000;

describe.each([
  ['over netlink', {}],
  ['through nft', { NODE_OPTIONS: `--import=${WITHOUT_KOFFI}` }],
])('whois and list, %s', (way, env) => {
  it('say when somebody was last let in, by grant, entry or CIDR', async () => {
    const daemon = lab.daemon({ name: `whois-${way.replaceAll(' ', '-')}`, env });
    await daemon.start();
    await daemon.confirm();
    await daemon.json('allow', lab.laptop.ipv4, '--for', '1h', '--services', 'ssh');
    await daemon.json('allow', `${lab.phone.ipv6}/126`);
    await daemon.json('allow', '192.0.2.7');
    expect(await lastSeen(daemon, lab.laptop.ipv4)).toBeNull();

    expect(await sees(lab.laptop)).toBe('open');
    expect(await sees(lab.phone, lab.gateway.ipv6)).toBe('open');
    expect(await sees(lab.stranger)).toBe('silent');
    const when = await lastSeen(daemon, lab.laptop.ipv4);
    expect(ago(when)).toBeGreaterThan(-2);
    expect(ago(when)).toBeLessThan(20);
    expect(await lastSeen(daemon, lab.phone.ipv6)).not.toBeNull();
    expect(await lastSeen(daemon, lab.stranger.ipv4)).toBeNull();

    const { entries, grants } = await daemon.json<Listed>('list');
    expect(grants).toMatchObject([{ address: lab.laptop.ipv4, last_seen: expect.any(String) }]);
    const seen = entries.filter(({ last_seen }) => last_seen !== null).map(({ target }) => target);
    expect(seen).toEqual([expect.stringMatching(/\/126$/)]);
    const { stdout } = await daemon.cli('whois', lab.laptop.ipv4);
    expect(stdout).toMatch(/^It was last let in at \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ\.$/m);

    await daemon.json('allow', lab.laptop.ipv4, '--for', '2h', '--services', 'ssh');
    await daemon.kill('SIGTERM');
    await daemon.launch();
    expect(Math.abs(ago(await lastSeen(daemon, lab.laptop.ipv4)) - ago(when))).toBeLessThan(3);
    expect(await daemon.eventsNamed('drift.repaired')).toEqual([]);
  });
});

it('a full list of those who were seen keeps nobody out', async () => {
  const daemon = lab.daemon({ name: 'full' });
  await daemon.start();
  await daemon.confirm();
  await daemon.json('allow', lab.laptop.ipv4);
  const many = Array.from({ length: 65_536 }, (_, n) => `10.200.${n >> 8}.${n & 255}`);
  await lab.gateway.nft(`add element inet sallyport seen_4 { ${many.join(', ')} }`);
  expect([await sees(lab.laptop), await sees(lab.stranger)]).toEqual(['open', 'silent']);
  expect(await lastSeen(daemon, lab.laptop.ipv4)).toBeNull();
  expect(await lastSeen(daemon, '10.200.7.7')).not.toBeNull();
});
