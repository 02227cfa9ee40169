import { SallyportError } from '../core/errors.js';
import type { Port } from '../core/ports.js';
import type { Sequence } from '../core/sequence.js';
import { after, between, type Duration, type Monotonic, millis } from '../core/time.js';
import type { Destination } from './host.js';
import type { Answer, Flight, KnockNetwork } from './network.js';

/** Time as the engine meets it; handed in, so that a test can turn it. */
export interface Pace {
  monotonic(): Monotonic;
  sleep(wait: Duration): Promise<void>;
  /** Uniform in [0, 1); spreads the tries of clients that began together. Need not be strong. */
  jitter(): number;
}

export interface KnockWorld {
  readonly network: KnockNetwork;
  readonly pace: Pace;
}

export interface KnockPlan {
  /** What the user called the machine; for error texts. */
  readonly host: string;
  /** Knocked on in turn; not empty. */
  readonly destinations: readonly Destination[];
  readonly sequence: Sequence;
  /** The pause between two packets, so that they arrive in order. */
  readonly delay: Duration;
  /** The TCP port that tells whether it worked. Without one, a single round is sent and nothing is known. */
  readonly wait?: Port;
  /** Rounds at most, where there is a port to wait for. */
  readonly tries: number;
  /** What the last packet carries, where it is UDP; nothing by default. */
  readonly payload?: Uint8Array;
}

/** What one round is sent by. */
export type RoundPlan = Pick<KnockPlan, 'sequence' | 'delay' | 'wait' | 'payload'>;

/** What the engine is doing; for a progress line. */
export type KnockEvent =
  | { readonly kind: 'knocking' | 'waiting'; readonly attempt: number; readonly to: Destination }
  | { readonly kind: 'pausing'; readonly attempt: number; readonly gap: Duration };

export interface KnockOutcome {
  /** The address that answered; else the first that packets left for. */
  readonly address: string;
  /** Every address that packets left for. */
  readonly addresses: readonly string[];
  /** Whether the port can be reached; null where none was waited for. */
  readonly open: boolean | null;
  /** The port is let through but refused: nothing listens, or something on the way refuses it. */
  readonly refused: boolean;
  /** The port answered before the knock was complete. */
  readonly alreadyOpen: boolean;
  readonly tries: number;
  readonly elapsed: Duration;
  /** A knock was refused by the far side, which a gateway never does. */
  readonly knockRefused: boolean;
}

const EMPTY = new Uint8Array(0);
/** The kernel's retransmit of a SYN comes after a second: a knock is ended well before. */
const LONGEST_FLIGHT = millis(400);
/** From the last packet to the first look at the port: opening takes about a millisecond, but so may the last hop. */
const SETTLE = millis(100);
/** How long to look for the port after a round. */
const WAIT_BOUND = millis(4000);
/** Deadlines of the connection attempts in it: the first are short for near hosts, the later long enough for satellites. */
const WAIT_STEPS = [millis(250), millis(500), millis(1000)] as const;
/** The least time given to a port to show that it is open already. */
const SHORTEST_CHECK = millis(200);
/** The pauses before each try; the last holds for all that follow. Up to a quarter is added by chance. */
const GAPS = [millis(0), millis(1500), millis(4000), millis(8000)] as const;

/** Faults of a packet that never left this machine, by their errno names (Linux, macOS, Windows through libuv). */
const NOT_SENT = new Set([
  'EACCES',
  'EADDRNOTAVAIL',
  'EAFNOSUPPORT',
  'EINVAL',
  'ENETDOWN',
  'ENETUNREACH',
  'EPERM',
  'EPROTONOSUPPORT',
]);

/** What one round on one address came to. */
export interface Round {
  /** The fault that kept every packet from leaving. */
  readonly unsent: string | undefined;
  readonly refused: boolean;
  /** What the port said while the first packets were under way, where there is one to wait for. */
  readonly before: Answer;
}

/**
 * Knocks on every destination in turn, and looks whether the port to wait for can be reached; again, after growing gaps,
 * until it can or the tries are used up. The port is first looked at while the first packets are under way, which costs
 * no time. Takes at most about 4.5 s for each address and try, and the gaps.
 * @throws SP_CLIENT_NOT_SENT where no packet leaves this machine
 */
export async function knock(
  plan: KnockPlan,
  world: KnockWorld,
  report: (event: KnockEvent) => void = () => {},
): Promise<KnockOutcome> {
  const { pace } = world;
  const start = pace.monotonic();
  const sentTo = new Set<string>();
  let knockRefused = false;
  let attempt = 0;

  const outcome = (address: string, found: Pick<KnockOutcome, 'open' | 'refused' | 'alreadyOpen'>): KnockOutcome => ({
    ...found,
    address,
    addresses: [...sentTo],
    tries: attempt,
    elapsed: between(start, pace.monotonic()),
    knockRefused,
  });

  const tries = plan.wait === undefined ? 1 : plan.tries;
  while (attempt < tries) {
    attempt++;
    const gap = gapBefore(attempt, pace.jitter());
    if (gap > 0) {
      report({ kind: 'pausing', attempt, gap });
      await pace.sleep(gap);
    }
    let unsent: string | undefined;
    let left = false;
    let doubtful: KnockOutcome | undefined;
    for (const to of plan.destinations) {
      report({ kind: 'knocking', attempt, to });
      const round = await sendRound(plan, world, to, attempt === 1);
      knockRefused ||= round.refused;
      if (round.unsent !== undefined) {
        unsent ??= round.unsent;
        continue;
      }
      left = true;
      sentTo.add(to.address);
      if (plan.wait === undefined) continue;
      report({ kind: 'waiting', attempt, to });
      const answer = await look(world, to, plan.wait);
      if (answer.kind === 'none') continue;
      const found = outcome(to.address, {
        open: true,
        refused: answer.kind === 'refused',
        alreadyOpen: round.before.kind !== 'none',
      });
      // Refused before and after says nothing about the knock: another address may do better.
      if (!(found.refused && found.alreadyOpen)) return found;
      doubtful ??= found;
    }
    if (doubtful !== undefined) return { ...doubtful, addresses: [...sentTo] };
    if (!left) throw new SallyportError('SP_CLIENT_NOT_SENT', { host: plan.host, code: unsent ?? 'no address' });
  }
  const [first = ''] = sentTo;
  return outcome(first, { open: plan.wait === undefined ? null : false, refused: false, alreadyOpen: false });
}

/** The pause before a try: 0, 1.5 s, 4 s, then 8 s, and up to a quarter more by chance (`jitter` in [0, 1)). */
export function gapBefore(attempt: number, jitter: number): Duration {
  const gap = GAPS[Math.min(attempt, GAPS.length) - 1] ?? millis(0);
  return millis(Math.round(gap * (1 + jitter / 4)));
}

/** Sends the packets of one round, and looks at the port before the last where `check` says so. */
export async function sendRound(plan: RoundPlan, world: KnockWorld, to: Destination, check: boolean): Promise<Round> {
  const { sequence, delay, wait, payload = EMPTY } = plan;
  const limit = millis(Math.max(SHORTEST_CHECK, delay * (sequence.length - 1)));
  const before: Promise<Answer> =
    check && wait !== undefined ? world.network.reach(to, wait, limit) : Promise.resolve({ kind: 'none' });
  const faults: (string | undefined)[] = [];
  for (const [index, step] of sequence.entries()) {
    const last = index === sequence.length - 1;
    // The last packet opens: the look at the port before must be over.
    if (last) await before;
    const flight = world.network.send(to, step, last ? payload : EMPTY);
    await fly(flight, world.pace, last ? SETTLE : delay);
    faults.push(flight.fault);
  }
  const unsent = faults.every((fault) => fault !== undefined && NOT_SENT.has(fault)) ? faults[0] : undefined;
  return { unsent, refused: faults.includes('ECONNREFUSED'), before: await before };
}

async function fly(flight: Flight, pace: Pace, pause: Duration): Promise<void> {
  const airtime = millis(Math.min(pause, LONGEST_FLIGHT));
  await pace.sleep(airtime);
  flight.end();
  if (pause > airtime) await pace.sleep(millis(pause - airtime));
}

/** Connects again and again, for WAIT_BOUND at most, until something answers. */
async function look({ network, pace }: KnockWorld, to: Destination, port: Port): Promise<Answer> {
  const deadline = after(pace.monotonic(), WAIT_BOUND);
  for (let step = 0; ; step++) {
    const started = pace.monotonic();
    const left = between(started, deadline);
    if (left <= 0) return { kind: 'none' };
    const limit = millis(Math.min(left, WAIT_STEPS[Math.min(step, WAIT_STEPS.length - 1)] ?? left));
    const answer = await network.reach(to, port, limit);
    if (answer.kind !== 'none') return answer;
    // An error comes at once: the next attempt still waits for its turn.
    const rest = millis(limit - between(started, pace.monotonic()));
    if (rest > 0) await pace.sleep(rest);
  }
}
