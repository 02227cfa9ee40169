import { afterEach, describe, expect, it, vi } from 'vitest';
import { isAddress } from '../../src/core/address.ts';
import { finalState } from '../../src/core/knock/automaton.ts';
import { hours } from '../../src/core/time.ts';
import { completionFromKey, keyTarget, stepFromBytes } from '../../src/firewall/keys.ts';
import { dump } from '../../src/netlink/dump.ts';
import { decodeElements } from '../../src/netlink/elements.ts';
import { NetlinkError } from '../../src/netlink/errors.ts';
import { decodeGeneration, decodeGenerationMark } from '../../src/netlink/generation.ts';
import { decodeMessages } from '../../src/netlink/message.ts';
import { commit, readGeneration } from '../../src/netlink/requests.ts';
import { NetlinkSocket } from '../../src/netlink/socket.ts';
import { TransactionWatch } from '../../src/netlink/transactions.ts';
import { boundOf, campaign, casesOf } from '../support/fuzz/campaign.ts';
import { ANSWERED, DUMPED, TOLD } from '../support/fuzz/captured.ts';
import { fuzzedGate, ScriptedLibc } from '../support/fuzz/gate.ts';
import { everyField, Mutants } from '../support/fuzz/mutate.ts';

const ELEMENTS = 160_000;
const MAILBOXES = 60_000;
const STARTS = 60_000;
const ANSWERS = 60_000;
const EVENTS = 60_000;

/** Ids that no state of the captured messages comes near to, bent as it may be. */
const IDS = { anna: 0x2b7c_91d3, ben: 0x54e3_6a2c };
/** After so many the gate is made anew. */
const GATE_LASTS = 2000;
const OWN_PORT = 21_132;

const dumped = Object.values(DUMPED);
const ends = [DUMPED.endSteps, DUMPED.refusedDump];

/** Reads a datagram as every reader of elements does. */
function readElements(datagram: Uint8Array): number {
  for (const { body } of decodeMessages(datagram)) {
    decodeGeneration(body);
    decodeGenerationMark(body);
  }
  const elements = decodeElements(datagram) ?? [];
  let held = 0;
  for (const { key, data, comment } of elements) {
    held += key.length + (data?.length ?? 0) + (comment?.length ?? 0);
    stepFromBytes(key, data);
    completionFromKey(key, 4);
    completionFromKey(key, 6);
    keyTarget(key, 64);
  }
  if (elements.length * 4 > datagram.length || held > datagram.length) expect.fail(`${elements.length} elements`);
  return elements.length;
}

/** The only error that those who ask the kernel know how to take. */
async function refusedOrDone<T>(ask: () => T | Promise<T>): Promise<{ value: T } | undefined> {
  try {
    return { value: await ask() };
  } catch (error) {
    if (error instanceof NetlinkError) return undefined;
    throw error;
  }
}

describe('bent answers of nfnetlink', () => {
  afterEach(() => void vi.useRealTimers());

  it('that hold elements are read or refused, each field cut and bent in every way', () => {
    let found = 0;
    for (const original of [...dumped, ...Object.values(ANSWERED), ...Object.values(TOLD)]) {
      for (const datagram of everyField(original)) found += readElements(datagram);
    }
    expect(found).toBeGreaterThan(1000);
  });

  it(
    'that hold elements are read or refused, however they are bent',
    async () => {
      const mutants = new Mutants([...dumped, ...Object.values(TOLD)]);
      let found = 0;
      await campaign('elements', ELEMENTS, (dice) => {
        found += readElements(mutants.next(dice));
      });
      expect(found).toBeGreaterThan(casesOf(ELEMENTS) / 10);
    },
    boundOf(ELEMENTS),
  );

  it(
    'of the mailbox let nobody in whom they do not name',
    async () => {
      const mutants = new Mutants(dumped);
      let gate = await fuzzedGate(IDS);
      let read = 0;
      await campaign('mailboxes', MAILBOXES, async (dice, n) => {
        if (n % GATE_LASTS === 0) gate = await fuzzedGate(IDS);
        const before = gate.problems.length;
        await gate.collect(...Array.from({ length: dice.few(3) }, () => mutants.next(dice)), dice.pick(ends));
        if (gate.problems.length === before) read++;
        for (const problem of gate.problems) if (!(problem instanceof NetlinkError)) throw problem;
        if (gate.rig.ledger.size + gate.rig.firewall.elements.size > 0) expect.fail('it opened');
      });
      expect(read).toBeGreaterThan(casesOf(MAILBOXES) / 10);
      await gate.collect(withState(DUMPED.done4, finalState(IDS.anna)), DUMPED.endSteps);
      expect(gate.opened().map(({ target }) => target)).toContain('10.77.0.4');
    },
    boundOf(MAILBOXES),
  );

  it(
    'at a start restore no grant that has more than its longest time, or that no comment names',
    async () => {
      const mutants = new Mutants([DUMPED.grants4, DUMPED.grants6, DUMPED.held4]);
      const gate = await fuzzedGate(IDS);
      let live = 0;
      await campaign('restored grants', STARTS, async (dice) => {
        const datagrams = [mutants.next(dice), dice.pick(ends)];
        const outcome = await refusedOrDone(() => gate.restore(...datagrams));
        for (const { id, target, expires } of outcome?.value.restored.adopted ?? []) {
          live++;
          const isSaid = datagrams.some((datagram) => Buffer.from(datagram).includes(id));
          const isInTime = expires - gate.rig.clock.monotonic() <= hours(12);
          if (!isSaid || !isInTime || !isAddress(target)) expect.fail(`it restored ${id} for ${target}`);
        }
      });
      expect(live).toBeGreaterThan(casesOf(STARTS) / 10);
    },
    boundOf(STARTS),
  );

  it(
    'to a batch or a question end in a result or in the one error that callers know',
    async () => {
      const mutants = new Mutants([...Object.values(ANSWERED), ...dumped]);
      const libc = new ScriptedLibc();
      const socket = NetlinkSocket.open(libc);
      const nothing = new Uint8Array(16);
      let done = 0;
      await campaign('answers', ANSWERS, async (dice, n) => {
        const datagrams = Array.from({ length: dice.few(3) }, () => mutants.next(dice));
        libc.say(...datagrams);
        const ask = [
          () => commit(socket, nothing, 1) ?? 'done',
          () => readGeneration(socket),
          () => dump(libc, 'sallyport', 'grant_ssh_4'),
        ][n % 3];
        const outcome = await refusedOrDone<unknown>(() => ask?.());
        if (outcome?.value === 'done' || typeof outcome?.value === 'number') done++;
      });
      expect(done).toBeGreaterThan(casesOf(ANSWERS) / 100);
    },
    boundOf(ANSWERS),
  );

  it(
    'that tell of transactions never tell of one of our own',
    async () => {
      const mutants = new Mutants(Object.values(TOLD));
      let watch = new TransactionWatch('sallyport', [OWN_PORT]);
      let told = 0;
      await campaign('transactions', EVENTS, (dice, n) => {
        if (n % 100 === 0) watch = new TransactionWatch('sallyport', [OWN_PORT]);
        const datagram = mutants.next(dice);
        for (const { portId } of watch.feed(datagram)) {
          told++;
          if (portId === OWN_PORT) expect.fail('it told of our own');
        }
      });
      expect(told).toBeGreaterThan(casesOf(EVENTS) / 1000);
    },
    boundOf(EVENTS),
  );
});

/** A mailbox whose elements are of another state. */
function withState(datagram: Uint8Array, state: number): Uint8Array {
  const bytes = Buffer.from(datagram);
  const from = Buffer.from(new Uint32Array([0x8000_0004]).buffer);
  const to = Buffer.from(new Uint32Array([state]).buffer);
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 4)) to.copy(bytes, at);
  return bytes;
}
