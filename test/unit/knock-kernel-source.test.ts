import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Address, parseAddress } from '../../src/core/address.ts';
import type { Completion } from '../../src/core/firewall.ts';
import { finalState, PAIRED_BIT } from '../../src/core/knock/automaton.ts';
import type { CompletedKnock } from '../../src/core/knock/source.ts';
import { encodePairing, type PairingCode } from '../../src/core/pairing.ts';
import { toPort } from '../../src/core/ports.ts';
import { KernelKnockSource } from '../../src/knock/kernel-source.ts';
import type { LoggedPacket } from '../../src/netlink/nflog.ts';

const ANA = parseAddress('203.0.113.1');
const BEN = parseAddress('203.0.113.2');

const inMailbox = (source: Address): Completion => ({ source, state: finalState(7) });
const logged = (source: Address): LoggedPacket => ({
  family: 4,
  source,
  protocol: 'udp',
  destinationPort: toPort(28111),
  payload: new Uint8Array(),
  mark: finalState(7),
});

describe('knocks from the kernel', () => {
  /** A source with a mailbox whose readings, and whose knocks, are answered when the test says so. */
  async function rig(first: Completion[] = []) {
    const readings: ((found: Completion[]) => void)[] = [];
    const answers: (() => void)[] = [];
    const heard: Address[] = [];
    const knocks: CompletedKnock[] = [];
    const problems: unknown[] = [];
    const source = new KernelKnockSource({
      readMailbox: () => new Promise((resolve) => readings.push(resolve)),
      hasDoorbell: true,
      strikes: null,
      onProblem: (error) => problems.push(error),
    });
    const started = source.start({
      onKnocks: async (found: readonly CompletedKnock[]) => {
        knocks.push(...found);
        heard.push(...found.map((knock) => knock.source));
        await new Promise<void>((resolve) => answers.push(resolve));
      },
      onStruck: () => undefined,
    });
    const read = async (found: Completion[]) => {
      await setImmediate();
      readings.shift()?.(found);
      await setImmediate();
    };
    const answerAll = async () => {
      for (const answer of answers.splice(0)) answer();
      await setImmediate();
    };
    await read(first);
    await started;
    return { source, heard, knocks, readings, problems, read, answerAll };
  }

  it('have what the last packet carried, and lie in the mailbox unless that is a pairing code', async () => {
    const { source, knocks } = await rig();
    const code = encodePairing('402913' as PairingCode);
    source.ring([
      { ...logged(ANA), mark: finalState(7) + PAIRED_BIT, payload: code },
      { ...logged(BEN), payload: Uint8Array.of(1) },
    ]);
    expect(knocks).toEqual([
      { source: ANA, sequenceId: 7, payload: code, completion: null, early: null },
      { source: BEN, sequenceId: 7, payload: Uint8Array.of(1), completion: inMailbox(BEN), early: null },
    ]);
  });

  it('at the start, what nobody has answered is answered', async () => {
    const { heard } = await rig([inMailbox(ANA), inMailbox(BEN)]);
    expect(heard).toEqual([ANA, BEN]);
  });

  it('what rang and is still being answered is not taken out of the mailbox as another knock', async () => {
    const { source, heard, read, answerAll } = await rig();
    source.ring([logged(ANA)]);
    const collected = source.collect();
    await read([inMailbox(ANA), inMailbox(BEN)]);
    await collected;
    expect(heard).toEqual([ANA, BEN]);
    await answerAll();
    const again = source.collect();
    await read([inMailbox(ANA)]);
    await again;
    expect(heard).toEqual([ANA, BEN, ANA]);
  });

  it('what rings and is answered while the mailbox is being read counts once', async () => {
    const { source, heard, read, answerAll } = await rig();
    const collected = source.collect();
    await setImmediate();
    source.ring([logged(ANA)]);
    await answerAll();
    await read([inMailbox(ANA)]);
    await collected;
    expect(heard).toEqual([ANA]);
  });

  it('knocks that ring twice are two', async () => {
    const { source, heard } = await rig();
    source.ring([logged(ANA)]);
    source.ring([logged(ANA)]);
    expect(heard).toEqual([ANA, ANA]);
  });

  it('a full mailbox is answered in pieces, with others served between', async () => {
    const { source, heard, read } = await rig();
    const many = Array.from({ length: 1000 }, (_, i) => inMailbox(parseAddress(`10.0.${i >> 8}.${i & 255}`)));
    const collected = source.collect();
    await read(many);
    expect(heard.length).toBeLessThan(1000);
    await collected;
    expect(heard).toHaveLength(1000);
  });

  it('calls to look into the mailbox while it is read share one further look', async () => {
    const { source, readings, read } = await rig();
    const calls = [source.collect()];
    await setImmediate();
    calls.push(source.collect(), source.collect());
    expect(readings).toHaveLength(1);
    await read([]);
    expect(readings).toHaveLength(1);
    await read([]);
    await Promise.all(calls);
    expect(readings).toHaveLength(0);
  });
});
