import { afterEach, describe, expect, it, vi } from 'vitest';
import { addressBytes, isAddress } from '../../src/core/address.ts';
import { finalState, PAIRED_BIT } from '../../src/core/knock/automaton.ts';
import { decodePackets, type LoggedPacket } from '../../src/netlink/nflog.ts';
import { boundOf, campaign, casesOf } from '../support/fuzz/campaign.ts';
import { LOGGED } from '../support/fuzz/captured.ts';
import { Dice } from '../support/fuzz/dice.ts';
import { type FuzzedGate, fuzzedGate } from '../support/fuzz/gate.ts';
import { everyField, Mutants } from '../support/fuzz/mutate.ts';
import { assemble, type Part, takeApart } from '../support/fuzz/tree.ts';

const NFULA_MARK = 2;
const NOBODY = 250_000;
const SOMEBODY = 150_000;
/** After so many the gate is made anew: its journal would grow without end. */
const GATE_LASTS = 5000;

/** Ids that no mark of the captured messages comes near to, bent as it may be. */
const IDS = { anna: 0x2b7c_91d3, ben: 0x54e3_6a2c };

/** The messages of completed knocks, with another mark. */
function marked(sequenceId: number): Uint8Array[] {
  const mark = new Uint8Array(4);
  new DataView(mark.buffer).setUint32(0, finalState(sequenceId));
  return Object.values(LOGGED).map(
    (datagram) => assemble(takeApart(datagram).map((part) => withMark(part, mark))).bytes,
  );
}

function withMark(part: Part, mark: Uint8Array): Part {
  if (part.rest instanceof Uint8Array) return part;
  return { ...part, rest: part.rest.map((item) => (item.type === NFULA_MARK ? { ...item, value: mark } : item)) };
}

/** What comes of a datagram holds no more than the datagram. */
function expectBounded(datagram: Uint8Array, packets: readonly LoggedPacket[]): void {
  const held = packets.reduce((sum, { payload }) => sum + payload.length, 0);
  if (packets.length * 16 > datagram.length || held > datagram.length) expect.fail(`${packets.length} packets`);
}

const bytesOf = (state: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(state);
  return bytes;
};

describe('bent messages of the log group', () => {
  afterEach(() => void vi.useRealTimers());

  async function gates(use: (next: () => Promise<FuzzedGate>) => Promise<void>): Promise<void> {
    let gate: FuzzedGate | undefined;
    let used = 0;
    await use(async () => {
      if (gate === undefined || used++ % GATE_LASTS === 0) gate = await fuzzedGate(IDS);
      return gate;
    });
  }

  it('that name no user open nothing, each field cut and bent in every way', async () => {
    const gate = await fuzzedGate(IDS);
    let heard = 0;
    for (const original of Object.values(LOGGED)) {
      for (const datagram of everyField(original)) {
        const packets = decodePackets(datagram);
        expectBounded(datagram, packets);
        heard += packets.length;
        await gate.ring(packets);
      }
    }
    expect(heard).toBeGreaterThan(1000);
    expect(gate.opened()).toEqual([]);
    await gate.ring(decodePackets(marked(IDS.anna)[0] ?? new Uint8Array()));
    expect(gate.opened().map(({ target }) => target)).toContain('10.77.0.2');
  });

  it(
    'that name no user open nothing, however they are bent',
    async () => {
      const mutants = new Mutants(Object.values(LOGGED));
      let heard = 0;
      await gates(async (next) => {
        await campaign('log messages that name nobody', NOBODY, async (dice) => {
          const gate = await next();
          const datagram = mutants.next(dice);
          const packets = decodePackets(datagram);
          expectBounded(datagram, packets);
          if (packets.length === 0) return;
          heard++;
          await gate.ring(packets);
          if (gate.rig.ledger.size + gate.rig.firewall.elements.size > 0)
            expect.fail(`it opened by ${Buffer.from(datagram).toString('hex')}`);
        });
      });
      expect(heard).toBeGreaterThan(casesOf(NOBODY) / 10);
    },
    boundOf(NOBODY),
  );

  it(
    'that name a user open for no source that is not in the message, and never for the host itself',
    async () => {
      const mutants = new Mutants([...marked(IDS.anna), ...marked(IDS.ben), ...Object.values(LOGGED)]);
      // The rules add a bit where the payload begins as one with a pairing code.
      const names = Object.values(IDS).flatMap((id) =>
        [0, PAIRED_BIT].map((bit) => bytesOf((finalState(id) | bit) >>> 0)),
      );
      let opened = 0;
      await gates(async (next) => {
        await campaign('log messages that name a user', SOMEBODY, async (dice) => {
          const gate = await next();
          const datagram = Buffer.from(mutants.next(dice));
          const packets = decodePackets(datagram);
          if (packets.length === 0) return;
          const before = new Set(gate.rig.ledger.all());
          await gate.ring(packets);
          for (const grant of gate.rig.ledger.all()) {
            if (before.has(grant)) continue;
            const { target } = grant;
            const source = isAddress(target) ? Buffer.from(addressBytes(target)) : Buffer.from('no address');
            const isSaid = datagram.includes(source) && names.some((name) => datagram.includes(name));
            const isRefused = gate.rig.doorkeeper.refusal(target) !== undefined;
            if (!isSaid || isRefused) expect.fail(`it opened for ${target} by ${datagram.toString('hex')}`);
            opened++;
          }
        });
      });
      expect(opened).toBeGreaterThan(casesOf(SOMEBODY) / 1000);
    },
    boundOf(SOMEBODY),
  );

  it('are made by the seed alone', () => {
    const mutants = new Mutants(Object.values(LOGGED));
    const some = (seed: number) => Array.from({ length: 500 }, (_, n) => mutants.next(new Dice(seed + n)));
    expect(some(1)).toEqual(some(1));
    expect(some(1)).not.toEqual(some(2));
  });
});
