/** A stream of knocks at a steady rate, each followed until the journal tells of it. */
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const TICK_MS = 20;
const GAP_MS = 5;
/** A client that finds its port shut knocks again after so long. */
const PATIENCE_MS = 2000;
const TRIES = 3;
const OPENING = new Set(['grant.opened', 'grant.renewed']);

export class Knocks {
  /** Knocks that were begun, and those that the journal told of. */
  begun = 0;
  answered = 0;
  /** Not answered by the last try either. */
  lost = [];
  /** Answered by a later try only, while nothing was wrong with the guard. */
  late = [];
  /** From the last packet to the line of the journal, in milliseconds; of the first tries, one in ten. */
  delays = [];
  #process;
  #to;
  #pending = new Map();
  #timer;
  #isPaused = false;
  #isDisturbed;

  /**
   * @param {import('../lib/namespaces.mjs').Machine} from
   * @param {string} to
   * @param {(since: number) => boolean} isDisturbed whether the guard was taken away at some time since then
   */
  constructor(from, to, isDisturbed) {
    const script = fileURLToPath(new URL('./knocker.mjs', import.meta.url));
    this.#process = from.spawn(process.execPath, [script], { stdio: ['pipe', 'ignore', 'inherit'] });
    this.#process.stdin.on('error', () => {});
    this.#to = to;
    this.#isDisturbed = isDisturbed;
  }

  /** Begins `rate` knocks a second, each as `next` draws it: `{ user, source, ports }`. */
  start(rate, next) {
    const startedAt = performance.now();
    let due = 0;
    this.#timer = setInterval(() => {
      const now = performance.now();
      const wanted = ((now - startedAt) / 1000) * rate;
      const some = [];
      for (; !this.#isPaused && due < wanted; due++) some.push(next());
      this.send(some);
      for (const [key, one] of this.#pending) {
        if (now - one.sentAt < PATIENCE_MS) break;
        this.#pending.delete(key);
        this.#again(key, one);
      }
    }, TICK_MS);
  }

  /** Begins some knocks now. */
  send(some) {
    if (some.length === 0) return;
    this.begun += some.length;
    const sentAt = performance.now();
    for (const knock of some) this.#pending.set(keyOf(knock), { knock, sentAt, firstAt: sentAt, tries: 1 });
    this.#write({ knocks: some });
  }

  /** Sends packets that are no knocks. */
  stray(packets) {
    this.#write({ stray: packets });
  }

  /** An event of the journal. */
  hear({ event, user, address }) {
    if (!OPENING.has(event)) return;
    const key = `${user} ${address}`;
    const one = this.#pending.get(key);
    if (one === undefined) return;
    this.#pending.delete(key);
    this.answered += 1;
    if (one.tries === 1) {
      const gaps = GAP_MS * (one.knock.ports.length - 1);
      if (this.answered % 10 === 0) this.delays.push(performance.now() - one.sentAt - gaps);
    } else if (!this.#isDisturbed(one.firstAt)) this.late.push(told(one));
  }

  /** Begins no more; what is under way is tried again as ever. */
  pause() {
    this.#isPaused = true;
  }

  /** Counts what is still not answered as lost. */
  end() {
    clearInterval(this.#timer);
    for (const one of this.#pending.values()) this.lost.push(told(one));
    this.#pending.clear();
    this.#process.stdin.end();
  }

  get waiting() {
    return this.#pending.size;
  }

  #again(key, one) {
    if (one.tries === TRIES) {
      this.lost.push(told(one));
      return;
    }
    this.#pending.set(key, { ...one, tries: one.tries + 1, sentAt: performance.now() });
    this.#write({ knocks: [one.knock] });
  }

  #write(what) {
    this.#process.stdin.write(`${JSON.stringify({ to: this.#to, gap: GAP_MS, ...what })}\n`);
  }
}

/** Follows the journal by the API until `stop` is called; tells when it was cut. */
export function followJournal(request, onEvent, onCut) {
  const call = request((answer) => {
    createInterface({ input: answer })
      .on('line', (line) => onEvent(JSON.parse(line)))
      .on('error', () => {});
    answer.once('close', () => onCut());
  });
  return () => call.destroy();
}

function keyOf({ user, source }) {
  return `${user} ${source}`;
}

/** Without the ports. */
function told({ knock: { user, source }, tries }) {
  return { user, source, tries, at: new Date().toISOString() };
}
