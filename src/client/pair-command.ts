import { SallyportError } from '../core/errors.js';
import { drawPairingCode, encodePairing, formatPairingCode, type PairingCode } from '../core/pairing.js';
import { canCarryCode } from '../core/sequence.js';
import { between, humanDuration, type Monotonic, millis } from '../core/time.js';
import { PAIR_HELP } from './help.js';
import {
  type ClientIo,
  type ClientWorld,
  findDestinations,
  invoke,
  REFUSED_KNOCK,
  readPorts,
  systemWorld,
  type Telling,
} from './invocation.js';
import { largeDigits } from './large-digits.js';
import { type PairOptions, parsePairOptions } from './options.js';
import { PATIENCE, type PairEvent, type PairOutcome, type PairPlan, pair } from './pair.js';
import { hasUnicode, isColored, isLively, paint } from './terminal.js';

/** The exit status of a program that was interrupted, as shells have it. */
const INTERRUPTED = 130;
/** Columns that the large code and its margin take. */
const LARGE_WIDTH = 54;

/**
 * `sallyport pair`: knocks with a pairing code of its own making, shows it with what to do, and waits for a port where asked to:
 * the code and the result on stdout, progress and errors on stderr.
 * @param interrupted aborts when the user has had enough
 * @returns the exit code: 0 done, 1 failed, 2 bad usage, 130 interrupted
 */
export async function runPair(
  argv: readonly string[],
  io: ClientIo,
  interrupted: AbortSignal,
  world = systemWorld,
): Promise<number> {
  const command = { parse: () => parsePairOptions(argv, io.env), help: PAIR_HELP };
  return await invoke(io, command, (options, telling) => new Pairing({ options, io, world, telling }).run(interrupted));
}

class Pairing {
  readonly #options: PairOptions;
  readonly #io: ClientIo;
  readonly #world: ClientWorld;
  readonly #telling: Telling;
  readonly #code: PairingCode;
  /** When the first round had left, and the code was shown. */
  #shownAt: Monotonic | undefined;

  #said = '';

  constructor(parts: {
    readonly options: PairOptions;
    readonly io: ClientIo;
    readonly world: ClientWorld;
    readonly telling: Telling;
  }) {
    this.#options = parts.options;
    this.#io = parts.io;
    this.#world = parts.world;
    this.#telling = parts.telling;
    this.#code = drawPairingCode(parts.world.random);
  }

  async run(interrupted: AbortSignal): Promise<number> {
    // Whatever is under way then ends by itself within a second or two, and has nothing more to say.
    const stop = new Promise<'stop'>((resolve) => {
      if (interrupted.aborted) resolve('stop');
      else interrupted.addEventListener('abort', () => resolve('stop'), { once: true });
    });
    const outcome = await Promise.race([this.#pair(interrupted), stop]);
    this.#telling.progress.stop();
    return outcome === 'stop' ? this.#tellStopped() : this.#tellOutcome(outcome);
  }

  async #pair(interrupted: AbortSignal): Promise<PairOutcome> {
    const { host, family, ports, delay, wait } = this.#options;
    const sequence = await readPorts(ports, this.#world, this.#telling);
    if (!canCarryCode(sequence)) throw new SallyportError('SP_CLIENT_NO_CARRIER', {});
    const plan: PairPlan = {
      host: host.text,
      destinations: await findDestinations(host, family, this.#world, this.#telling),
      sequence,
      delay,
      payload: encodePairing(this.#code),
      ...(wait === undefined ? {} : { wait }),
    };
    const isOver = () => interrupted.aborted;
    return await pair(plan, this.#world, (event) => isOver() || this.#follow(event), isOver);
  }

  #follow(event: PairEvent): void {
    const { progress } = this.#telling;
    const { address } = event.to;
    if (event.kind === 'sent') {
      progress.stop();
      this.#shownAt = this.#world.pace.monotonic();
      this.#showCode();
    } else if (event.kind === 'knocking') {
      this.#say(event.round === 1 ? `Knocking on ${address}` : `Knocking on ${address} once more`);
    } else if (this.#port === '') {
      this.#say(`Waiting to knock on ${address} once more`);
    } else {
      // In a pipe each step is a line: no clock there.
      const left = isLively(this.#io.stderr, this.#io.env) ? `, ${humanDuration(event.left)} left` : '';
      this.#say(`Waiting for ${this.#port} on ${address}${left}`);
    }
  }

  #say(text: string): void {
    if (text !== this.#said) this.#telling.progress.say(text);
    this.#said = text;
  }

  get #port(): string {
    const { wait } = this.#options;
    return wait === undefined ? '' : `tcp/${wait}`;
  }

  #showCode(): void {
    const { stdout, env } = this.#io;
    const { json, quiet, extension, host } = this.#options;
    const text = formatPairingCode(this.#code);
    if (json) {
      this.#tellJson('code', {
        code: this.#code,
        host: host.text,
        extension: extension ?? null,
        valid_s: PATIENCE / 1000,
      });
      return;
    }
    if (quiet) {
      stdout.write(`${text}\n`);
      return;
    }
    const { bold } = paint(isColored(stdout, env));
    const isLarge = isLively(stdout, env) && (stdout.columns || 80) >= LARGE_WIDTH;
    const large = isLarge ? ['', ...largeDigits(text, hasUnicode(env) ? '█' : '#'), ''] : [];
    const whom = extension === undefined ? 'the extension of your PBX for this (usually 864)' : extension;
    const lines = [
      ...large.map((line) => (line === '' ? line : `  ${bold(line)}`)),
      `Your pairing code: ${bold(text)}`,
      `Call ${whom}, give your account and PIN, choose 2, type ${text}.`,
      `The code is good for ${humanDuration(PATIENCE)}.`,
    ];
    stdout.write(`${lines.join('\n')}\n`);
  }

  #tellStopped(): number {
    const { json, quiet } = this.#options;
    if (json) this.#tellJson('stopped', { code: this.#code });
    else if (!quiet && this.#shownAt === undefined) this.#io.stderr.write('Stopped.\n');
    else if (!quiet && this.#shownAt !== undefined) {
      const left = millis(PATIENCE - between(this.#shownAt, this.#world.pace.monotonic()));
      this.#io.stderr.write(
        `Stopped. The code ${formatPairingCode(this.#code)} can still be confirmed for ${humanDuration(left)}.\n`,
      );
    }
    return INTERRUPTED;
  }

  /** @throws SP_CLIENT_NOT_CONFIRMED */
  #tellOutcome(outcome: PairOutcome): number {
    const { stdout, env } = this.#io;
    const { json, quiet, host } = this.#options;
    const { address, open, alreadyOpen, refused, rounds, elapsed } = outcome;
    if (json) {
      this.#tellJson('result', {
        host: host.text,
        address,
        open,
        already_open: open === true ? alreadyOpen : null,
        listening: open === true ? !refused : null,
        rounds,
        elapsed_ms: Math.round(elapsed),
      });
    }
    if (outcome.knockRefused) this.#telling.note(REFUSED_KNOCK);
    if (open === false) {
      const time = humanDuration(PATIENCE);
      throw new SallyportError('SP_CLIENT_NOT_CONFIRMED', { port: this.#port, host: host.text, time });
    }
    if (!json && !quiet) {
      const { green, yellow } = paint(isColored(stdout, env));
      const [head, rest] = verdict(outcome, host.text, this.#port);
      stdout.write(`${open === true && !alreadyOpen ? green(head) : yellow(head)} ${rest}\n`);
    }
    return 0;
  }

  /** One object a line: the code comes long before the result. */
  #tellJson(event: string, facts: object): void {
    this.#io.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);
  }
}

/** The result in plain words: a head that may be coloured, and the rest. */
function verdict(outcome: PairOutcome, host: string, port: string): readonly [string, string] {
  const { address, open, refused, alreadyOpen, elapsed } = outcome;
  const named = host === address ? host : `${host} (${address})`;
  if (open === null) {
    return [
      'Sent.',
      `The code went to ${named}. Nothing answers a knock: confirm the code on the phone, and connect; or pair with --wait and the port you want, such as --wait tcp/22.`,
    ];
  }
  if (alreadyOpen) {
    const seen = refused ? 'refused a connection' : 'answered';
    return [
      'Already reachable.',
      `${port} on ${named} ${seen} before the knock. The code was sent all the same; whether it is confirmed cannot be seen from here.`,
    ];
  }
  if (refused) {
    return ['Open.', `You are let in, but nothing listens: ${port} on ${named} refuses the connection.`];
  }
  return ['Open.', `${port} on ${named} answers, after ${humanDuration(elapsed)}.`];
}
