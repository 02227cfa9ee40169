import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Destination } from '../../src/client/host.ts';
import { gapBefore, type KnockEvent, type KnockPlan, knock } from '../../src/client/knock.ts';
import { toPort } from '../../src/core/ports.ts';
import { parseSequence } from '../../src/core/sequence.ts';
import { millis } from '../../src/core/time.ts';
import { type FakeWorldOptions, fakeWorld } from '../support/client-world.ts';

const SEQUENCE = parseSequence('tcp/21234,udp/28111,tcp/24711');
const V4: Destination = { address: '203.0.113.7', family: 4 };
const V6: Destination = { address: '2001:db8::7', family: 6 };
const WAIT = { wait: toPort(22) };

async function perform(far: FakeWorldOptions['far'], changes: Partial<KnockPlan> = {}, jitter = 0) {
  const { time, network, world } = fakeWorld({ far, sequence: SEQUENCE, jitter });
  const events: KnockEvent[] = [];
  const plan = { host: 'office', destinations: [V4], sequence: SEQUENCE, delay: millis(150), tries: 3, ...changes };
  const outcome = await time.run(knock(plan, world, (event) => events.push(event)));
  return { outcome, network, events, pauses: events.flatMap((event) => (event.kind === 'pausing' ? [event.gap] : [])) };
}

const ports = (sent: readonly { readonly knock: { readonly port: number } }[]) => sent.map(({ knock }) => knock.port);

describe('a round', () => {
  it('sends the packets in order, with the pause between them and an empty payload', async () => {
    const { network } = await perform({ [V4.address]: { opensAfter: 1 } });
    expect(ports(network.sent)).toEqual([21234, 28111, 24711]);
    expect(network.sent.map(({ at }) => at)).toEqual([0, 150, 300]);
    expect(network.sent.every(({ payload }) => payload.length === 0)).toBe(true);
  });

  it('carries the payload that the plan gives in its last packet alone', async () => {
    const payload = new Uint8Array([1, 2]);
    const { network } = await perform({ [V4.address]: { opensAfter: 1 } }, { payload });
    const none = new Uint8Array();
    expect(network.sent.map((sent) => sent.payload)).toEqual([none, none, payload]);
  });

  it('ends every packet before the kernel would send it again, however long the pause', async () => {
    const { network } = await perform({ [V4.address]: { opensAfter: 1 } }, { delay: millis(5000) });
    expect(network.sent.map(({ at }) => at)).toEqual([0, 5000, 10_000]);
    for (const { at, endedAt } of network.sent) {
      expect(endedAt).toBeDefined();
      expect((endedAt ?? Infinity) - at).toBeLessThan(1000);
    }
  });
});

describe('without a port to wait for', () => {
  it('sends one round, looks at nothing and claims nothing', async () => {
    const { outcome, network } = await perform({ [V4.address]: { opensAfter: 9 } });
    expect(outcome).toMatchObject({ open: null, tries: 1, address: V4.address });
    expect(network.sent).toHaveLength(3);
    expect(network.reached).toEqual([]);
  });

  it('sends one round to each family, since nobody knows which will be used', async () => {
    const far = { [V6.address]: { opensAfter: 1 }, [V4.address]: { opensAfter: 1 } };
    const { outcome, network } = await perform(far, { destinations: [V6, V4] });
    expect(outcome).toMatchObject({ address: V6.address, addresses: [V6.address, V4.address] });
    expect(ports(network.sent)).toEqual([21234, 28111, 24711, 21234, 28111, 24711]);
  });
});

describe('waiting for a port', () => {
  it('is done after one round where the gate opens, within half a second on a near host', async () => {
    const { outcome } = await perform({ [V4.address]: { opensAfter: 1 } }, WAIT);
    expect(outcome).toMatchObject({ open: true, alreadyOpen: false, refused: false, tries: 1 });
    expect(outcome.elapsed).toBeLessThan(500);
  });

  it('knocks again with growing gaps until the gate opens', async () => {
    const { outcome, pauses, network } = await perform({ [V4.address]: { opensAfter: 3 } }, WAIT);
    expect(outcome).toMatchObject({ open: true, tries: 3 });
    expect(pauses).toEqual([1500, 4000]);
    expect(network.sent).toHaveLength(9);
  });

  it('gives up after the tries, within a bound', async () => {
    const { outcome, network } = await perform({ [V4.address]: { opensAfter: 99 } }, { ...WAIT, tries: 2 }, 0.999);
    expect(outcome).toMatchObject({ open: false, tries: 2, address: V4.address });
    expect(network.sent).toHaveLength(6);
    expect(outcome.elapsed).toBeLessThanOrEqual(2 * 4500 + 1875);
  });

  it('gets in over a satellite, where an answer takes longer than the first looks', async () => {
    const { outcome } = await perform({ [V4.address]: { opensAfter: 1, roundTrip: 900 } }, WAIT);
    expect(outcome).toMatchObject({ open: true, tries: 1 });
  });

  it('does not hammer a port whose error comes at once', async () => {
    const far = { [V4.address]: { opensAfter: 99, shutCode: 'EHOSTUNREACH' } };
    const { outcome, network } = await perform(far, { ...WAIT, tries: 1 });
    expect(outcome.open).toBe(false);
    expect(network.reached.length).toBeLessThanOrEqual(8);
    expect(outcome.elapsed).toBeGreaterThanOrEqual(4000);
  });

  it('takes a refusal as open, with nothing listening', async () => {
    const { outcome } = await perform({ [V4.address]: { opensAfter: 1, answer: 'refused' } }, WAIT);
    expect(outcome).toMatchObject({ open: true, refused: true, alreadyOpen: false });
  });

  it('knocks all the same where the port is open already, and says that it was', async () => {
    const { outcome, network } = await perform({ [V4.address]: { opensAfter: 0 } }, WAIT);
    expect(outcome).toMatchObject({ open: true, alreadyOpen: true, tries: 1 });
    expect(ports(network.sent)).toEqual([21234, 28111, 24711]);
  });

  it('looks at the port before the last packet leaves, and loses no time by it', async () => {
    const { network } = await perform({ [V4.address]: { opensAfter: 1 } }, WAIT);
    const [before] = network.reached;
    expect(before).toMatchObject({ at: 0, limit: 300 });
    expect(network.sent.map(({ at }) => at)).toEqual([0, 150, 300]);
  });

  it('keeps the last packet back until that look is over, even with the shortest pause', async () => {
    const far = { [V4.address]: { opensAfter: 1 } };
    const { outcome, network } = await perform(far, { ...WAIT, delay: millis(1) });
    expect(network.sent.at(-1)?.at).toBe(200);
    expect(outcome).toMatchObject({ open: true, alreadyOpen: false });
  });
});

describe('a name with both families', () => {
  it('takes the second where nothing can be sent to the first', async () => {
    const far = { [V6.address]: { opensAfter: 1, fault: 'ENETUNREACH' }, [V4.address]: { opensAfter: 1 } };
    const { outcome } = await perform(far, { ...WAIT, destinations: [V6, V4] });
    expect(outcome).toMatchObject({ open: true, address: V4.address, addresses: [V4.address], tries: 1 });
  });

  it('takes the second in the same try where the first stays shut', async () => {
    const far = { [V6.address]: { opensAfter: 99 }, [V4.address]: { opensAfter: 1 } };
    const { outcome } = await perform(far, { ...WAIT, destinations: [V6, V4] });
    expect(outcome).toMatchObject({ open: true, address: V4.address, tries: 1 });
  });

  it('prefers an open port to one that was refused before and after the knock', async () => {
    const far = { [V6.address]: { opensAfter: 0, answer: 'refused' as const }, [V4.address]: { opensAfter: 1 } };
    const { outcome } = await perform(far, { ...WAIT, destinations: [V6, V4] });
    expect(outcome).toMatchObject({ open: true, address: V4.address, refused: false, tries: 1 });
  });

  it('settles for the refused one where the other stays shut', async () => {
    const far = { [V6.address]: { opensAfter: 0, answer: 'refused' as const }, [V4.address]: { opensAfter: 99 } };
    const { outcome } = await perform(far, { ...WAIT, destinations: [V6, V4] });
    expect(outcome).toMatchObject({ open: true, address: V6.address, refused: true, alreadyOpen: true, tries: 1 });
  });
});

describe('faults of the knock', () => {
  it('fails at once where no packet leaves the machine', async () => {
    const far = { [V4.address]: { opensAfter: 1, fault: 'ENETUNREACH' } };
    await expect(perform(far, WAIT)).rejects.toMatchObject({ code: 'SP_CLIENT_NOT_SENT' });
    await expect(perform(far)).rejects.toThrow('office');
  });

  it('goes on where the far side refuses the knock, and notes it', async () => {
    const { outcome } = await perform({ [V4.address]: { opensAfter: 1, fault: 'ECONNREFUSED' } }, WAIT);
    expect(outcome).toMatchObject({ open: true, knockRefused: true });
  });
});

describe('the gaps', () => {
  it('never shrink from one try to the next, and stay within 10 s', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempt, jitter) => {
          const [gap, next] = [gapBefore(attempt, jitter), gapBefore(attempt + 1, jitter)];
          expect(gap).toBeLessThanOrEqual(next);
          expect(next).toBeLessThanOrEqual(10_000);
          expect(gap).toBeGreaterThanOrEqual(gapBefore(attempt, 0));
        },
      ),
    );
    expect(gapBefore(1, 0.9)).toBe(0);
  });
});
