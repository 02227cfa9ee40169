import { SallyportError } from '../core/errors.js';
import { between, type Duration, millis, minutes, seconds } from '../core/time.js';
import type { Destination } from './host.js';
import { type KnockPlan, type KnockWorld, sendRound } from './knock.js';
import type { Answer } from './network.js';

/** A knock with a pairing code in its last packet. */
export type PairPlan = Omit<KnockPlan, 'tries'> & Required<Pick<KnockPlan, 'payload'>>;

/** What the engine is doing. `sent`: the first round has left. */
export type PairEvent =
  | { readonly kind: 'knocking'; readonly round: number; readonly to: Destination }
  | { readonly kind: 'sent'; readonly to: Destination }
  | { readonly kind: 'waiting'; readonly to: Destination; readonly left: Duration };

export interface PairOutcome {
  /** The address that was knocked on. */
  readonly address: string;
  /** Whether the port can be reached; null where none was waited for. */
  readonly open: boolean | null;
  /** The port is let through but refused: nothing listens, or something on the way refuses it. */
  readonly refused: boolean;
  /** The port answered before the first knock was complete, so that nothing can be told from it. */
  readonly alreadyOpen: boolean;
  readonly rounds: number;
  readonly elapsed: Duration;
  /** A knock was refused by the far side, which a gateway never does. */
  readonly knockRefused: boolean;
}

/** As long as the gateway keeps a claim. */
export const PATIENCE = minutes(5);
/**
 * When rounds are sent, counted from the start; then one every REPEAT. Nobody can tell whether one arrived, and a claim that
 * is there already is only kept alive by the next.
 */
const ROUNDS = [seconds(0), seconds(3), seconds(10), seconds(30)] as const;
const REPEAT = seconds(30);
/** Rounds where no port tells when it is enough. */
const BLIND_ROUNDS = 3;
/** Between two looks at the port: about as long as the kernel leaves before it sends a SYN again. */
const LOOK_EVERY = seconds(1);

/**
 * Knocks with the code, again and again, until the port to wait for can be reached, or PATIENCE is over. Without a port, or
 * with one that is open already, three rounds are sent. All goes to one address, the first that packets leave for: the same code
 * from two of our own addresses (IPv4 and IPv6) would be two claims, and void.
 * @param isOver whether to stop early
 * @throws SP_CLIENT_NOT_SENT where no packet of the first round leaves this machine
 */
export async function pair(
  plan: PairPlan,
  world: KnockWorld,
  report: (event: PairEvent) => void,
  isOver: () => boolean,
): Promise<PairOutcome> {
  const { pace, network } = world;
  const start = pace.monotonic();
  const elapsed = () => between(start, pace.monotonic());
  const first = await sendFirst(plan, world, report);
  const { to } = first;
  const alreadyOpen = first.before.kind !== 'none';
  const wait = alreadyOpen ? undefined : plan.wait;
  let { knockRefused } = first;
  let rounds = 1;

  const outcome = (open: boolean | null, answer: Answer): PairOutcome => ({
    address: to.address,
    open,
    refused: answer.kind === 'refused',
    alreadyOpen,
    rounds,
    elapsed: elapsed(),
    knockRefused,
  });

  while (!isOver() && elapsed() < PATIENCE) {
    const pause = millis(roundAt(rounds) - elapsed());
    if (pause <= 0) {
      report({ kind: 'knocking', round: rounds + 1, to });
      const { refused } = await sendRound(plan, world, to, false);
      knockRefused ||= refused;
      rounds++;
      continue;
    }
    if (wait === undefined && rounds === BLIND_ROUNDS) break;
    report({ kind: 'waiting', to, left: millis(PATIENCE - elapsed()) });
    const limit = millis(Math.min(pause, LOOK_EVERY, PATIENCE - elapsed()));
    if (wait === undefined) {
      await pace.sleep(limit);
      continue;
    }
    const started = elapsed();
    const answer = await network.reach(to, wait, limit);
    if (answer.kind !== 'none') return outcome(true, answer);
    // An error comes at once: the next look still waits for its turn.
    const rest = millis(limit - (elapsed() - started));
    if (rest > 0) await pace.sleep(rest);
  }
  if (plan.wait === undefined) return outcome(null, { kind: 'none' });
  return outcome(alreadyOpen, first.before);
}

/** When a round is due, counted from the start; `sent` are those before it. */
function roundAt(sent: number): Duration {
  const last = ROUNDS.length - 1;
  return millis((ROUNDS[Math.min(sent, last)] ?? 0) + Math.max(0, sent - last) * REPEAT);
}

/** Sends the first round to the first address that it leaves for. */
async function sendFirst(plan: PairPlan, world: KnockWorld, report: (event: PairEvent) => void) {
  let unsent: string | undefined;
  for (const to of plan.destinations) {
    report({ kind: 'knocking', round: 1, to });
    const round = await sendRound(plan, world, to, true);
    if (round.unsent === undefined) {
      report({ kind: 'sent', to });
      return { to, before: round.before, knockRefused: round.refused };
    }
    unsent ??= round.unsent;
  }
  throw new SallyportError('SP_CLIENT_NOT_SENT', { host: plan.host, code: unsent ?? 'no address' });
}
