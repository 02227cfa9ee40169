import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GrantJson, LabDaemon } from '../support/lab/daemon.js';
import { Lab } from '../support/lab/lab.js';

/*
 * In each case an inner target lies in an outer network, and both are let in, with `for` until then, without it for
 * good; then one of them may be revoked. `inside` tells until when an address of the inner target is in, `outside` the same of
 * an address of the outer network alone: until the end of one of the two, or for good, or never.
 */
const FAMILIES = ['ipv4', 'ipv6'] as const;

/** A flow may end so long before and after its time (milliseconds). */
const EARLY = 800;
const LATE = 1500;

type Until = 'inner' | 'outer' | 'good' | 'never';
interface Overlap {
  readonly name: string;
  readonly outer: { for?: string; services?: string[] };
  readonly inner: { for?: string; services?: string[]; isAddress?: boolean };
  readonly revoke?: 'inner' | 'outer';
  readonly inside: Until;
  readonly outside: Until;
}

const SHORT = '4s';
const LONG = '6s';
const OVERLAPS: readonly Overlap[] = [
  {
    name: 'a short network in a long one',
    outer: { for: LONG },
    inner: { for: SHORT },
    inside: 'outer',
    outside: 'outer',
  },
  {
    name: 'a long network in a short one',
    outer: { for: SHORT },
    inner: { for: LONG },
    inside: 'inner',
    outside: 'outer',
  },
  {
    name: 'a short address in a long network',
    outer: { for: LONG },
    inner: { for: SHORT, isAddress: true },
    inside: 'outer',
    outside: 'outer',
  },
  {
    name: 'a long address in a short network',
    outer: { for: SHORT },
    inner: { for: LONG, isAddress: true },
    inside: 'inner',
    outside: 'outer',
  },
  { name: 'an entry in a grant', outer: { for: SHORT }, inner: {}, inside: 'good', outside: 'outer' },
  { name: 'a grant in an entry', outer: {}, inner: { for: SHORT }, inside: 'good', outside: 'good' },
  {
    name: 'a grant revoked in an entry',
    outer: {},
    inner: { for: '1h' },
    revoke: 'inner',
    inside: 'good',
    outside: 'good',
  },
  {
    name: "an address's grant revoked in an entry",
    outer: {},
    inner: { for: '1h', isAddress: true },
    revoke: 'inner',
    inside: 'good',
    outside: 'good',
  },
  {
    name: 'a grant revoked in a grant',
    outer: { for: SHORT },
    inner: { for: '1h' },
    revoke: 'inner',
    inside: 'outer',
    outside: 'outer',
  },
  {
    name: 'a grant revoked around a grant',
    outer: { for: '1h' },
    inner: { for: SHORT },
    revoke: 'outer',
    inside: 'inner',
    outside: 'outer',
  },
  {
    name: 'an entry removed around a grant',
    outer: {},
    inner: { for: SHORT },
    revoke: 'outer',
    inside: 'inner',
    outside: 'outer',
  },
  { name: 'an entry removed in an entry', outer: {}, inner: {}, revoke: 'inner', inside: 'good', outside: 'good' },
  {
    name: 'an entry removed around an entry',
    outer: {},
    inner: { isAddress: true },
    revoke: 'outer',
    inside: 'good',
    outside: 'outer',
  },
  {
    name: 'other services',
    outer: { for: LONG, services: ['sip', 'web'] },
    inner: { for: SHORT, services: ['ssh'] },
    inside: 'inner',
    outside: 'never',
  },
];

describe('targets that overlap', () => {
  let lab: Lab;
  let daemon: LabDaemon;
  /** 10.50.0.0/16 and fd50::/64 are the laptop's. */
  let at: { ipv4: (index: number) => string; ipv6: (index: number) => string };

  const ask = async <T>(path: string, body: object): Promise<T> => {
    const { status, body: answer } = await daemon.api<T>('POST', path, body);
    if (status !== 200) throw new Error(JSON.stringify(answer));
    return answer;
  };

  beforeAll(async () => {
    lab = await Lab.create();
    at = await lab.manyAddresses(lab.laptop, 50);
    daemon = lab.daemon();
    await daemon.start();
    await daemon.confirm();
    await lab.gateway.tell('listenTcp', { port: 22 });
  });

  afterAll(() => lab?.destroy());

  it('end each when they should, over IPv4 and IPv6', async () => {
    const cases = OVERLAPS.flatMap((overlap, i) =>
      FAMILIES.map((family) => {
        const base = (i + 1) << 12;
        const [host, network] = family === 'ipv4' ? [24, 20] : [120, 116];
        const inner = overlap.inner.isAddress ? at[family](base + 0x307) : `${at[family](base + 0x300)}/${host}`;
        const outer = `${at[family](base)}/${network}`;
        return {
          ...overlap,
          family,
          targets: { inner, outer },
          in: at[family](base + 0x307),
          out: at[family](base + 0x909),
        };
      }),
    );
    const ends = new Map<string, { from: number; to: number }>();
    const open = async (target: string, body: { for?: string; services?: string[] }) => {
      const { grant } = await ask<{ grant: GrantJson | null }>('/v1/allow', {
        target,
        ...(body.for && { for: body.for }),
        ...(body.services && { services: body.services }),
      });
      const end = grant === null ? Number.POSITIVE_INFINITY : Date.parse(grant.expires_at);
      ends.set(target, { from: end, to: end });
    };
    await Promise.all(
      cases.map((one) => Promise.all([open(one.targets.outer, one.outer), open(one.targets.inner, one.inner)])),
    );
    const flows = await Promise.all(
      cases.flatMap((one) =>
        (['inside', 'outside'] as const).map(async (where) => {
          const source = where === 'inside' ? one.in : one.out;
          const name = `${one.name}: ${where}, ${source}`;
          if (one[where] === 'never') {
            expect(await lab.laptop.tcp(lab.gateway[one.family], 22, { source, timeout: 250 }), name).toBe('silent');
            return [];
          }
          const flow = await lab.laptop.hold('tcp', lab.gateway[one.family], 22, { source });
          const until = one[where];
          return [
            {
              name,
              flow,
              end: () => (until === 'good' ? undefined : ends.get(one.targets[until as 'inner' | 'outer'])),
              // What is revoked lets in until then, also where the other has ended before.
              revoked: () => (one.revoke === undefined ? 0 : (ends.get(one.targets[one.revoke])?.to ?? 0)),
            },
          ];
        }),
      ),
    );
    const limit = 8500;
    const watched = flows.flat().map(async (one) => ({ ...one, last: await one.flow.pulse({ every: 60, limit }) }));
    const finished = Date.now() + limit;
    await Promise.all(
      cases.map(async ({ revoke: which, targets }) => {
        if (which === undefined) return;
        const from = Date.now();
        await ask('/v1/revoke', { what: targets[which] });
        ends.set(targets[which], { from, to: Date.now() });
      }),
    );
    for (const { name, end, revoked, last } of await Promise.all(watched)) {
      const { from, to } = end() ?? { from: finished, to: finished };
      expect(last - from, `${name}, ended early`).toBeGreaterThan(-EARLY);
      expect(last - Math.max(to, revoked()), `${name}, lived on`).toBeLessThan(LATE);
    }
  });
});
