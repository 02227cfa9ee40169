import { type ErrorCode, isSallyportError, SallyportError } from '../core/errors.js';
import type { ErrorView } from './contract/views.js';

/** Where the status differs from the rule: 400 for what was asked wrongly, 409 for what is refused. */
const STATUS: Partial<Readonly<Record<ErrorCode, number>>> = {
  SP_NOT_FOUND: 404,
  SP_USER_UNKNOWN: 404,
  SP_INTERNAL: 500,
  SP_CONTROL_TIMEOUT: 503,
};

/** What the server itself refuses. Fixed words: a parser's own message may repeat what was sent. */
const PROBLEMS: Readonly<Record<number, string>> = {
  400: 'the body is not JSON',
  408: 'it took too long to arrive',
  413: 'the body is too large',
  414: 'the path is too long',
  415: 'the body is not declared as application/json',
  431: 'its headers are too large',
};

/** An error in the form in which it leaves the daemon. */
export interface ErrorAnswer {
  readonly status: number;
  readonly body: ErrorView;
  /** True where the log should know more than the answer tells. */
  readonly fault: boolean;
}

/** Turns anything that was thrown into an answer without its cause. */
export function toAnswer(error: unknown): ErrorAnswer {
  if (isSallyportError(error)) {
    const status = STATUS[error.code] ?? (error.usage ? 400 : serverSide(error.code) ? 503 : 409);
    return answer(status, error, status >= 500 || error.cause !== undefined);
  }
  const { code, statusCode, validation } = (typeof error === 'object' && error !== null ? error : {}) as Thrown;
  if (code === 'FST_ERR_HANDLER_TIMEOUT') return answer(503, new SallyportError('SP_CONTROL_TIMEOUT'), true);
  if (Array.isArray(validation)) return answer(400, refusal(describe(validation)), false);
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return answer(statusCode, refusal(PROBLEMS[statusCode] ?? 'it is not well formed'), false);
  }
  return answer(500, new SallyportError('SP_INTERNAL'), true);
}

/** A request that no route takes. */
export function noRoute(method: string, path: string): ErrorAnswer {
  return answer(404, refusal(`there is nothing at ${method} ${path}`), false);
}

/** A request that could not even be parsed as HTTP. */
export function badHttp(status: number): ErrorAnswer {
  return answer(status, refusal((status === 400 ? undefined : PROBLEMS[status]) ?? 'it is not HTTP'), false);
}

interface Thrown {
  readonly code?: unknown;
  readonly statusCode?: unknown;
  readonly validation?: unknown;
}

/** True where the request was right and the machine was not. */
function serverSide(code: ErrorCode): boolean {
  return /^SP_(STORE|STATE|FIREWALL|NFT|NETLINK)_/.test(code);
}

function refusal(problem: string): SallyportError {
  return new SallyportError('SP_REQUEST_INVALID', { problem });
}

function answer(status: number, { code, message, fix }: SallyportError, fault: boolean): ErrorAnswer {
  return { status, body: { error: { code, message, fix } }, fault };
}

/** The first few problems that a schema found: where and what, never the value. */
function describe(validation: readonly unknown[]): string {
  const problems = (validation as readonly { instancePath?: string; message?: string }[]).map(
    ({ instancePath = '', message = 'it is not valid' }) => {
      const where = instancePath.slice(1).replaceAll('/', '.');
      return where === '' ? message : `${where}: ${message}`;
    },
  );
  return problems.slice(0, 3).join('; ');
}
