import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GrantJson, LabDaemon } from '../support/lab/daemon.js';
import type { LabHost } from '../support/lab/host.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';

const ALICE = 'tcp/21234,udp/28111,tcp/24711';
const BOB = 'udp/22345,udp/27111,udp/23711';
const FAMILIES = ['ipv4', 'ipv6'] as const;
type Family = (typeof FAMILIES)[number];

/** A flow may end so long before and after its time (milliseconds). */
const EARLY = 800;
const LATE = 1500;

const CONFIG = `
trusted:
  interfaces: [wg0]
  addresses:
    - {address: 10.60.1.0/24, services: [ssh], note: head office}
    - {address: "fd60::100/120", services: all}
`;

interface Allowed {
  readonly grant: GrantJson | null;
  readonly entry: { readonly id: string; readonly target: string; readonly services: string[] } | null;
}

let lab: Lab;
let daemon: LabDaemon;
/** 10.50.0.0/16 and fd50::/64 are the laptop's, 10.60.0.0/16 and fd60::/64 the phone's. */
let at: { ipv4: (index: number) => string; ipv6: (index: number) => string };
let trusted: typeof at;

const allow = async (body: object): Promise<Allowed> => {
  const { status, body: answer } = await daemon.api<Allowed>('POST', '/v1/allow', body);
  if (status !== 200) throw new Error(JSON.stringify(answer));
  return answer;
};
const revoke = async (what: string) => {
  const { status, body } = await daemon.api('POST', '/v1/revoke', { what });
  if (status !== 200) throw new Error(JSON.stringify(body));
};
const reach = (host: LabHost, family: Family, port: number, source: string): Promise<string> =>
  host.tcp(lab.gateway[family], port, { source, timeout: 250 });
const familyOf = (address: string): Family => (address.includes(':') ? 'ipv6' : 'ipv4');

beforeAll(async () => {
  lab = await Lab.create();
  at = await lab.manyAddresses(lab.laptop, 50);
  trusted = await lab.manyAddresses(lab.phone, 60);
  daemon = lab.daemon({ config: CONFIG });
  await daemon.start();
  await daemon.confirm();
  await daemon.addUser('alice', { knock: ALICE, services: ['ssh'], ttl: '3s' });
  await daemon.addUser('bob', { knock: BOB, services: ['ssh', 'web'], ttl: '1h' });
  for (const port of [22, 80]) await lab.gateway.tell('listenTcp', { port });
  await lab.gateway.tell('listenUdp', { port: 5060 });
});

afterAll(() => lab?.destroy());

describe('allow', () => {
  it('lets addresses and networks in for good, and takes them out again by target and by id', async () => {
    const targets = [at.ipv4(1), at.ipv6(1), '10.50.2.0/24', 'fd50::200/120'];
    for (const target of targets) {
      const { entry, grant } = await daemon.json<Allowed>('allow', target, '--services', 'ssh,sip', '--note', 'a note');
      expect(entry).toMatchObject({ target, services: ['sip', 'ssh'], note: 'a note', source: 'operator' });
      expect(grant).toBeNull();
    }
    for (const family of FAMILIES) {
      for (const index of [1, 0x2fe]) {
        expect(await reach(lab.laptop, family, 22, at[family](index))).toBe('open');
        expect(await lab.laptop.udp(lab.gateway[family], 5060, { source: at[family](index) })).toBe('open');
        expect(await reach(lab.laptop, family, 80, at[family](index))).toBe('silent');
      }
      expect(await reach(lab.laptop, family, 22, at[family](0x301))).toBe('silent');
    }
    const { entries } = await daemon.json<{ entries: { id: string; target: string }[] }>('list');
    for (const target of targets) {
      const entry = entries.find((one) => one.target === target);
      expect((await daemon.cli('revoke', target.includes('/') ? (entry?.id ?? '') : target)).code).toBe(0);
    }
    for (const family of FAMILIES) {
      for (const index of [1, 0x2fe]) expect(await reach(lab.laptop, family, 22, at[family](index))).toBe('silent');
    }
    const { code, stderr } = await daemon.cli('revoke', at.ipv4(1));
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^SP_NOT_FOUND/)]);
  });

  it('with --for lets in by the command line for a while', async () => {
    const { grant } = await daemon.json<Allowed>('allow', '10.50.4.0/24', '--for', '90m', '--services', 'web');
    expect(grant).toMatchObject({ address: '10.50.4.0/24', user: null, services: ['web'], method: 'cli' });
    expect(grant?.remaining_s).toBeGreaterThan(5390);
    expect(await reach(lab.laptop, 'ipv4', 80, at.ipv4(0x404))).toBe('open');
    expect(await reach(lab.laptop, 'ipv4', 22, at.ipv4(0x404))).toBe('silent');
    expect((await daemon.cli('revoke', grant?.id.toLowerCase() ?? '')).code).toBe(0);
    expect(await reach(lab.laptop, 'ipv4', 80, at.ipv4(0x404))).toBe('silent');
  });
});

describe('trusted in the configuration', () => {
  it('are addresses, for the services named, until the configuration says otherwise', async () => {
    expect(await reach(lab.phone, 'ipv4', 22, trusted.ipv4(0x107))).toBe('open');
    expect(await reach(lab.phone, 'ipv4', 80, trusted.ipv4(0x107))).toBe('silent');
    expect(await reach(lab.phone, 'ipv4', 22, trusted.ipv4(0x207))).toBe('silent');
    for (const port of [22, 80]) expect(await reach(lab.phone, 'ipv6', port, trusted.ipv6(0x107))).toBe('open');
    expect(await reach(lab.phone, 'ipv6', 22, trusted.ipv6(0x207))).toBe('silent');
    const { code, stderr } = await daemon.cli('revoke', '10.60.1.0/24');
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^SP_ENTRY_CONFIGURED/)]);
    expect(await reach(lab.phone, 'ipv4', 22, trusted.ipv4(0x107))).toBe('open');
  });

  it('are interfaces, and no others', async () => {
    const inside = await lab.behind('wg0', { ipv4: '10.61.0.', ipv6: 'fd61::' });
    const other = await lab.behind('wg00', { ipv4: '10.62.0.', ipv6: 'fd62::' });
    for (const family of FAMILIES) {
      for (const port of [22, 80]) expect(await inside.tcp(lab.gateway[family], port)).toBe('open');
      expect(await inside.udp(lab.gateway[family], 5060)).toBe('open');
      expect(await other.tcp(lab.gateway[family], 22, { timeout: 250 })).toBe('silent');
      expect(await other.udp(lab.gateway[family], 5060, { timeout: 250 })).toBe('silent');
    }
  });
});

describe('users', () => {
  const grantsAt = async (address: string) => (await daemon.grants()).filter((grant) => grant.address === address);

  it('behind one address share it for the longest of their times, and the journal says so', async () => {
    const flows = [];
    const ends: number[] = [];
    for (const family of FAMILIES) {
      const source = lab.stranger[family];
      await lab.stranger.knock(lab.gateway[family], steps(ALICE));
      await lab.stranger.knock(lab.gateway[family], steps(BOB));
      const grants = await eventually(
        () => grantsAt(source),
        (all) => all.length === 2,
      );
      expect(grants.map(({ user, services }) => `${user} ${services}`)).toEqual(['alice ssh', 'bob ssh,web']);
      ends.push(Date.parse(grants[0]?.expires_at ?? ''));
      flows.push(await lab.stranger.hold('tcp', lab.gateway[family], 22));
    }
    // The kernel alone knows that the longer one holds.
    daemon.signal('SIGSTOP');
    try {
      await eventually(Date.now, (now) => now > Math.max(...ends) + 100);
      for (const flow of flows) expect(await flow.ping()).toBe(true);
    } finally {
      daemon.signal('SIGCONT');
    }
    for (const family of FAMILIES) {
      await eventually(
        () => grantsAt(lab.stranger[family]),
        (all) => all.length === 1,
      );
      for (const port of [22, 80]) expect(await lab.stranger.tcp(lab.gateway[family], port)).toBe('open');
    }
    const shared = (await daemon.events()).filter(({ event }) => event === 'address.shared');
    expect(shared.map(({ address }) => address)).toEqual([lab.stranger.ipv4, lab.stranger.ipv6]);
    for (const { user, detail } of shared) expect([user, detail]).toEqual(['bob', expect.stringContaining('alice')]);
  });

  it('lose what is theirs when they are revoked, and nothing of what is another’s', async () => {
    for (const family of FAMILIES) {
      await lab.stranger.knock(lab.gateway[family], steps(ALICE));
      await eventually(
        () => grantsAt(lab.stranger[family]),
        (all) => all.length === 2,
      );
    }
    const grants = (await daemon.grants()).filter(({ user }) => user === 'alice');
    await revoke('bob');
    for (const family of FAMILIES) {
      expect(await lab.stranger.tcp(lab.gateway[family], 22)).toBe('open');
      expect(await lab.stranger.tcp(lab.gateway[family], 80, { timeout: 250 })).toBe('silent');
    }
    const end = Math.max(...grants.map((grant) => Date.parse(grant.expires_at)));
    await eventually(
      () => reach(lab.stranger, 'ipv6', 22, lab.stranger.ipv6),
      (verdict) => verdict === 'silent',
    );
    expect(Date.now()).toBeGreaterThan(end - EARLY);
    expect(Date.now()).toBeLessThan(end + LATE);
    expect(await lab.stranger.tcp(lab.gateway.ipv4, 22, { timeout: 250 })).toBe('silent');
    expect(await grantsAt(lab.stranger.ipv4)).toEqual([]);
  });

  it('whose services were changed get the new ones for their own time, and lose the old', async () => {
    const target = at.ipv4(0xf200);
    await daemon.addUser('erin', { services: ['ssh'], ttl: '1h' });
    await allow({ target, user: 'erin', for: '1h' });
    expect(await reach(lab.laptop, 'ipv4', 22, target)).toBe('open');
    expect((await daemon.cli('user', 'set', 'erin', '--services', 'web')).code).toBe(0);
    const { grant } = await allow({ target, user: 'erin', for: '2s' });
    expect(grant?.remaining_s).toBeLessThanOrEqual(2);
    expect(await reach(lab.laptop, 'ipv4', 80, target)).toBe('open');
    expect(await reach(lab.laptop, 'ipv4', 22, target)).toBe('silent');
    await eventually(
      () => reach(lab.laptop, 'ipv4', 80, target),
      (verdict) => verdict === 'silent',
    );
  });

  it('are put out by id one address at a time, and by name or removal everywhere', async () => {
    const names = ['carol', 'dave'] as const;
    for (const [i, name] of names.entries()) {
      await daemon.addUser(name, { services: ['web'], ttl: '1h' });
      for (const family of FAMILIES) await allow({ target: at[family](0xf100 + i), user: name, for: '1h' });
    }
    const state = () =>
      Promise.all(
        names.flatMap((_, i) => FAMILIES.map((family) => reach(lab.laptop, family, 80, at[family](0xf100 + i)))),
      );
    expect(await state()).toEqual(['open', 'open', 'open', 'open']);
    const [grant] = await grantsAt(at.ipv4(0xf100));
    await revoke(grant?.id ?? '');
    expect(await state()).toEqual(['silent', 'open', 'open', 'open']);
    await revoke('carol');
    expect(await state()).toEqual(['silent', 'silent', 'open', 'open']);
    expect((await daemon.cli('user', 'remove', 'dave')).code).toBe(0);
    expect(await state()).toEqual(['silent', 'silent', 'silent', 'silent']);
    const events = (await daemon.events()).filter(
      ({ event, user }) => event === 'grant.revoked' && names.some((name) => name === user),
    );
    expect(events.map(({ user, address }) => `${user} ${familyOf(address ?? '')}`)).toEqual([
      'carol ipv4',
      'carol ipv6',
      'dave ipv4',
      'dave ipv6',
    ]);
  });
});

describe('whois', () => {
  interface Whois {
    readonly address: string;
    readonly grants: { user: string | null; address: string }[];
    readonly entries: { target: string }[];
    readonly allowed: string[];
  }

  it('tells whose address it is and what lets it in', async () => {
    await allow({ target: '10.50.240.0/24', for: '1h', services: ['web'] });
    await allow({ target: at.ipv4(0xf009), for: '1h', user: 'bob' });
    await allow({ target: '10.50.240.0/28', services: ['sip'] });
    const about = await daemon.json<Whois>('whois', at.ipv4(0xf009));
    expect(about.grants.map(({ user, address }) => [user, address])).toEqual([
      [null, '10.50.240.0/24'],
      ['bob', at.ipv4(0xf009)],
    ]);
    expect(about.entries.map(({ target }) => target)).toEqual(['10.50.240.0/28']);
    expect(about.allowed).toEqual(['ssh', 'sip', 'web']);
    const { stdout } = await daemon.cli('whois', at.ipv4(0xf009));
    for (const word of ['bob', '10.50.240.0/24', '10.50.240.0/28']) expect(stdout).toContain(word);
    expect(await daemon.json<Whois>('whois', trusted.ipv4(0x107))).toMatchObject({ grants: [], allowed: ['ssh'] });
    expect(await daemon.json<Whois>('whois', '192.0.2.1')).toMatchObject({ grants: [], entries: [], allowed: [] });
  });
});
