import { type IncomingMessage, request } from 'node:http';
import { createInterface } from 'node:readline';
import {
  FOLLOW,
  ROUTES,
  type Route,
  type RouteAnswer,
  type RouteInput,
  type RouteName,
} from '../control/contract/routes.js';
import { ErrorView, type JournalView } from '../control/contract/views.js';
import { ERRORS, type ErrorCode, SallyportError } from '../core/errors.js';
import { DaemonError } from './report.js';

/** How long the daemon may take to answer, in milliseconds. */
const ANSWER_LIMIT = 30_000;

const UNREACHABLE: Readonly<Record<string, ErrorCode>> = {
  EACCES: 'SP_DAEMON_FORBIDDEN',
  EPERM: 'SP_DAEMON_FORBIDDEN',
  ECONNRESET: 'SP_DAEMON_STOPPED',
  EPIPE: 'SP_DAEMON_STOPPED',
};

interface Parts {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
}

/**
 * Talks to the daemon over its Unix socket.
 * Its calls reject with what the daemon refuses (DaemonError), or with SP_DAEMON_*.
 */
export class ControlClient {
  readonly #socket: string;
  readonly #limit: number;

  constructor(socket: string, limit = ANSWER_LIMIT) {
    this.#socket = socket;
    this.#limit = limit;
  }

  async call<Name extends RouteName>(name: Name, input: RouteInput<Name>): Promise<RouteAnswer<Name>> {
    const route: Route = ROUTES[name];
    const { params, query, body } = input as Parts;
    checkWords(route, input as Parts);
    const signal = AbortSignal.timeout(this.#limit);
    const response = await this.#send(route.method, pathOf(route.path, params, query), body, signal);
    const text = await this.#read(response, signal);
    const value = this.#parse(text, response);
    if (response.statusCode !== 200) throw this.#refusal(value, response);
    const answer = route.answer.safeParse(value);
    if (!answer.success) throw this.#strange(`it is no ${name} answer`, answer.error);
    return answer.data as RouteAnswer<Name>;
  }

  /** Resolves when following has begun: with the events from then on. They end on `signal` alone, and
   * fail with SP_DAEMON_STOPPED when the daemon stops. */
  async follow(signal: AbortSignal): Promise<AsyncIterable<JournalView>> {
    const response = await this.#send(FOLLOW.method, FOLLOW.path, undefined, signal);
    if (response.statusCode === 200) return this.#events(response, signal);
    throw this.#refusal(this.#parse(await this.#read(response, signal), response), response);
  }

  async *#events(response: IncomingMessage, signal: AbortSignal): AsyncGenerator<JournalView> {
    const lines = createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY });
    try {
      for await (const line of lines) {
        const event = FOLLOW.line.safeParse(this.#parse(line, response));
        if (!event.success) throw this.#strange('it is no event of the journal', event.error);
        yield event.data;
      }
      if (!signal.aborted) throw new SallyportError('SP_DAEMON_STOPPED', { socket: this.#socket });
    } catch (error) {
      if (!signal.aborted && !(error instanceof SallyportError)) throw this.#unreachable(error);
      if (!signal.aborted) throw error;
    } finally {
      response.destroy();
    }
  }

  #send(method: string, path: string, body: unknown, signal: AbortSignal): Promise<IncomingMessage> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      host: 'sallyport',
      accept: 'application/json',
      ...(payload !== undefined && {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(payload),
      }),
    };
    return new Promise((resolve, reject) => {
      const sent = request({ socketPath: this.#socket, method, path, headers, agent: false, signal }, (response) => {
        response.on('error', () => {});
        resolve(response);
      });
      sent.on('error', (error) => reject(this.#failure(error, signal)));
      sent.end(payload);
    });
  }

  async #read(response: IncomingMessage, signal: AbortSignal): Promise<string> {
    const pieces: Buffer[] = [];
    try {
      for await (const piece of response) pieces.push(piece as Buffer);
    } catch (error) {
      throw this.#failure(error, signal);
    }
    return Buffer.concat(pieces).toString('utf8');
  }

  #parse(text: string, response: IncomingMessage): unknown {
    try {
      return JSON.parse(text);
    } catch (error) {
      throw this.#strange(`status ${response.statusCode} without JSON`, error);
    }
  }

  #refusal(value: unknown, response: IncomingMessage): Error {
    const refused = ErrorView.safeParse(value);
    if (!refused.success) return this.#strange(`status ${response.statusCode}`, refused.error);
    const { code, message, fix } = refused.data.error;
    const known = Object.hasOwn(ERRORS, code) ? ERRORS[code as keyof typeof ERRORS] : undefined;
    return new DaemonError(code, message, fix, known?.usage ?? response.statusCode === 400);
  }

  #failure(error: unknown, signal: AbortSignal): Error {
    if (signal.aborted && (signal.reason as Error | undefined)?.name === 'TimeoutError') {
      const details = { socket: this.#socket, seconds: Math.ceil(this.#limit / 1000) };
      return new SallyportError('SP_DAEMON_TIMEOUT', details, error);
    }
    return this.#unreachable(error);
  }

  #unreachable(error: unknown): SallyportError {
    const code = (error as NodeJS.ErrnoException | undefined)?.code;
    return new SallyportError(UNREACHABLE[code ?? ''] ?? 'SP_DAEMON_UNREACHABLE', { socket: this.#socket }, error);
  }

  #strange(problem: string, cause: unknown): SallyportError {
    return new SallyportError('SP_DAEMON_ANSWER', { socket: this.#socket, problem }, cause);
  }
}

/**
 * The words of a command against the contract, before they are sent: the daemon would refuse them in the words of its API.
 * @throws SP_USAGE
 */
function checkWords(route: Route, parts: Parts): void {
  for (const part of ['params', 'query', 'body'] as const) {
    const problem = route[part]?.safeParse(parts[part]).error?.issues[0];
    if (problem === undefined) continue;
    const where = problem.path.join('.');
    throw new SallyportError('SP_USAGE', { problem: where === '' ? problem.message : `${where}: ${problem.message}` });
  }
}

function pathOf(path: string, params: Parts['params'], query: Parts['query']): string {
  const filled = path.replace(/:(\w+)/g, (_, key: string) => encodeURIComponent(params?.[key] ?? ''));
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) if (value !== undefined) search.set(key, String(value));
  return search.size > 0 ? `${filled}?${search}` : filled;
}
