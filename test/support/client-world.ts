/** A network and a clock for the client, without either: time stands still until everything waits for it. */

import type { Destination } from '../../src/client/host.ts';
import type { ClientWorld } from '../../src/client/invocation.ts';
import type { Answer, KnockNetwork } from '../../src/client/network.ts';
import type { Knock, Sequence } from '../../src/core/sequence.ts';
import type { Duration, Monotonic } from '../../src/core/time.ts';

class VirtualTime {
  #now = 0;
  readonly #sleepers: { readonly at: number; readonly wake: () => void }[] = [];

  monotonic = (): Monotonic => this.#now as Monotonic;

  sleep = (wait: number): Promise<void> =>
    new Promise((wake) => {
      this.#sleepers.push({ at: this.#now + wait, wake });
      this.#sleepers.sort((a, b) => a.at - b.at);
    });

  /** Turns the clock from one waker to the next until the work is done. */
  async run<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const finish = () => {
      done = true;
    };
    work.then(finish, finish);
    for (;;) {
      await new Promise(setImmediate);
      if (done) return work;
      const next = this.#sleepers.shift();
      if (next === undefined) throw new Error('everything waits, and for nothing');
      this.#now = next.at;
      next.wake();
    }
  }
}

export interface Sent {
  readonly at: number;
  readonly address: string;
  readonly knock: Knock;
  readonly payload: Uint8Array;
  endedAt?: number;
}

/** How the far side of one address behaves. */
export interface Far {
  /** Rounds that must arrive before it opens; 0 is open from the start. */
  opensAfter: number;
  /** When it opens at the earliest, in milliseconds from the start: somebody has to say yes first. */
  readonly opensAt?: number;
  /** What an open port says. */
  readonly answer?: Answer['kind'];
  /** What a port that is still shut says, at once; silence unless given. */
  readonly shutCode?: string;
  readonly roundTrip?: number;
  /** The fault of every knock. */
  readonly fault?: string;
}

class FakeNetwork implements KnockNetwork {
  readonly sent: Sent[] = [];
  readonly reached: { readonly at: number; readonly address: string; readonly port: number; readonly limit: number }[] =
    [];
  readonly #time: VirtualTime;
  readonly #far: ReadonlyMap<string, Far>;
  readonly #names: Readonly<Record<string, readonly Destination[]>>;
  readonly #round: number;

  /** `round` is the number of packets that make one round. */
  constructor(
    time: VirtualTime,
    far: Readonly<Record<string, Far>>,
    round: number,
    names: Readonly<Record<string, readonly Destination[]>> = {},
  ) {
    this.#time = time;
    this.#far = new Map(Object.entries(far));
    this.#round = round;
    this.#names = names;
  }

  async lookup(name: string): Promise<readonly Destination[]> {
    const found = this.#names[name];
    if (found === undefined) throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' });
    return found;
  }

  send(to: Destination, knock: Knock, payload: Uint8Array) {
    const packet: Sent = { at: this.#time.monotonic(), address: to.address, knock, payload };
    this.sent.push(packet);
    const end = () => {
      packet.endedAt = this.#time.monotonic();
    };
    return { fault: this.#of(to).fault, end };
  }

  async reach(to: Destination, port: number, limit: Duration): Promise<Answer> {
    this.reached.push({ at: this.#time.monotonic(), address: to.address, port, limit });
    const { opensAfter, opensAt = 0, answer = 'open', shutCode, roundTrip = 10 } = this.#of(to);
    const rounds = Math.floor(this.sent.filter(({ address }) => address === to.address).length / this.#round);
    const isShut = rounds < opensAfter || this.#time.monotonic() < opensAt;
    if (isShut && shutCode !== undefined) return { kind: 'none', code: shutCode };
    if (isShut || roundTrip > limit) {
      await this.#time.sleep(limit);
      return { kind: 'none' };
    }
    await this.#time.sleep(roundTrip);
    return { kind: answer };
  }

  #of(to: Destination): Far {
    const far = this.#far.get(to.address);
    if (far === undefined) throw new Error(`nobody is at ${to.address}`);
    return far;
  }
}

export interface FakeWorldOptions {
  readonly far: Readonly<Record<string, Far>>;
  readonly sequence: Sequence;
  readonly names?: Readonly<Record<string, readonly Destination[]>>;
  readonly files?: Readonly<Record<string, { readonly text: string; readonly exposed: boolean }>>;
  readonly jitter?: number;
}

export function fakeWorld({ far, sequence, names, files = {}, jitter = 0 }: FakeWorldOptions) {
  const time = new VirtualTime();
  const network = new FakeNetwork(time, far, sequence.length, names);
  const world: ClientWorld = {
    network,
    random: () => 402_913,
    pace: { monotonic: time.monotonic, sleep: time.sleep, jitter: () => jitter },
    readPortsFile: async (path) => {
      const file = files[path];
      if (file === undefined) throw new Error(`no file ${path}`);
      return file;
    },
  };
  return { time, network, world };
}
