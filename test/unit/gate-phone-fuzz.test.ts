import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { parseAddress } from '../../src/core/address.ts';
import type { CallId, Digit, RingFailure } from '../../src/core/phone/link.ts';
import { millis } from '../../src/core/time.ts';
import { knockOf, LAPTOP } from '../support/gate-rig.ts';
import { DORA, ERIK, phoneRig } from '../support/phone-rig.ts';

/** What somebody presses who knows everything but a PIN, and anything else. */
const keys = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom('1001#000000#', '1002#000000#', '1003#000000#', '000000#', '1', '1', '2', '4'),
  },
  fc.constantFrom('3', '9', '#', '*', '203*0*113*7#', '402913'),
  fc.string({ unit: fc.constantFrom(...'0123456789*#'), maxLength: 12 }),
);
const which = fc.nat(3);
const raw = fc.constantFrom(...['call-1', 'call-2', 'nobody'].map((id) => id as CallId));

/** Whatever a PBX may tell: of calls as they go on, and of what never was. */
const news = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('dial' as const), isSoftphone: fc.boolean() }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'pick up' as const }) },
  { weight: 9, arbitrary: fc.record({ kind: fc.constant('reply' as const), which, keys }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('press' as const), which, keys }) },
  fc.record({ kind: fc.constant('hang up' as const), which }),
  fc.record({ kind: fc.constant('knock' as const), user: fc.constantFrom(DORA, ERIK) }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(20_000) }),
  fc.record({
    kind: fc.constant('ring failed' as const),
    why: fc.constantFrom<RingFailure[]>('busy', 'unanswered', 'unreachable'),
  }),
  fc.record({ kind: fc.constant('raw call' as const), id: raw, ring: fc.constantFrom(null, 'nobody') }),
  fc.record({ kind: fc.constant('raw played' as const), id: raw, turn: fc.nat(30) }),
  fc.record({ kind: fc.constant('raw digit' as const), id: raw, digit: fc.constantFrom<Digit[]>('1', '#', '9') }),
  fc.record({ kind: fc.constant('raw hang-up' as const), id: raw }),
);
type News = typeof news extends fc.Arbitrary<infer One> ? One : never;

async function tell(rig: ReturnType<typeof phoneRig>, one: News): Promise<void> {
  const { pbx, desk, clock } = rig;
  const up = [...pbx.calls.values()];
  const call = 'which' in one ? up[one.which % Math.max(1, up.length)] : undefined;
  if (one.kind === 'dial') await pbx.dial(one.isSoftphone ? { address: LAPTOP } : { callerId: 'x'.repeat(99) });
  if (one.kind === 'pick up') await pbx.pickUp();
  if (one.kind === 'reply') await call?.reply(one.keys);
  if (one.kind === 'press') await call?.press(one.keys);
  if (one.kind === 'hang up') await call?.hangUp();
  if (one.kind === 'knock') await rig.doorkeeper.knocks([knockOf(one.user)]);
  if (one.kind === 'ring failed') await pbx.fail(one.why);
  if (one.kind === 'raw call') desk.onCall({ id: one.id, callerId: null, address: parseAddress('::'), ring: one.ring });
  if (one.kind === 'raw played') desk.onPlayed(one.id, one.turn);
  if (one.kind === 'raw digit') desk.onDigit(one.id, one.digit);
  if (one.kind === 'raw hang-up') desk.onHangUp(one.id);
  await clock.advance(millis(one.kind === 'wait' ? one.ms : 0));
}

/** How many grants there are after all this, in some runs. */
async function run(isRight: boolean, numRuns: number): Promise<number> {
  let granted = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(news, { minLength: 10, maxLength: 60 }), async (told) => {
      const rig = phoneRig();
      rig.scrypt.isRight = isRight;
      await rig.start();
      try {
        for (const one of told) await tell(rig, one);
        expect(rig.log.messages('error')).toEqual([]);
        granted += rig.ledger.size;
        const knocked = told.flatMap((one) => (one.kind === 'knock' ? [one.user.name] : []));
        for (const { user } of rig.ledger.all()) expect(['carl', ...knocked]).toContain(user?.name);
        expect(isRight || rig.firewall.open.length === 0).toBe(true);
        await rig.clock.advance(millis(200_000));
        expect(rig.desk.health().calls).toBe(0);
      } finally {
        await rig.desk.stop();
        rig.doorkeeper.stop();
        rig.guard.stop();
      }
    }),
    { numRuns },
  );
  return granted;
}

afterEach(() => {
  vi.useRealTimers();
});

describe('whatever the PBX tells', () => {
  it('nobody is let in without a PIN, nothing is thrown, and all calls come to their end', async () => {
    expect(await run(false, 150)).toBe(0);
  });

  it('somebody is let in where any PIN is right, and nobody with an approval who has not knocked', async () => {
    expect(await run(true, 400)).toBeGreaterThan(0);
  });
});
