import { ACCESS_ERRORS } from './errors/access.js';
import { CLIENT_ERRORS } from './errors/client.js';
import { CONFIG_ERRORS } from './errors/config.js';
import { CONTROL_ERRORS } from './errors/control.js';
import type { ErrorEntry } from './errors/entry.js';
import { FIREWALL_ERRORS } from './errors/firewall.js';
import { IMPORT_ERRORS } from './errors/import.js';
import { INPUT_ERRORS } from './errors/input.js';
import { KNOCK_ERRORS } from './errors/knock.js';
import { PHONE_ERRORS } from './errors/phone.js';
import { PROVIDER_ERRORS } from './errors/provider.js';
import { STORE_ERRORS } from './errors/store.js';

/**
 * Every error that a user can meet: its public text, and what to do next. A code is in the table of one area only.
 * docs/errors.md is generated from this table and checked against it.
 */
export const ERRORS = {
  ...INPUT_ERRORS,
  ...ACCESS_ERRORS,
  ...CONTROL_ERRORS,
  ...FIREWALL_ERRORS,
  ...KNOCK_ERRORS,
  ...STORE_ERRORS,
  ...CONFIG_ERRORS,
  ...IMPORT_ERRORS,
  ...CLIENT_ERRORS,
  ...PHONE_ERRORS,
  ...PROVIDER_ERRORS,
};

export type ErrorCode = keyof typeof ERRORS;

const LONGEST_DETAIL = 200;

/**
 * An error for people: a code of the table, its public text and what to do next. The cause is for the log alone and is
 * never part of the text.
 */
export class SallyportError extends Error {
  override readonly name = 'SallyportError';
  readonly code: ErrorCode;
  readonly fix: string;
  readonly usage: boolean;

  constructor(code: ErrorCode, details: Readonly<Record<string, string | number>> = {}, cause?: unknown) {
    const entry: ErrorEntry = ERRORS[code];
    super(fill(entry.text, details), cause === undefined ? undefined : { cause });
    this.code = code;
    this.fix = fill(entry.fix, details);
    this.usage = entry.usage;
  }

  toLine(): string {
    return errorLine(this);
  }
}

/** One line for stderr: code, what is wrong, what to do. */
export function errorLine({ code, message, fix }: { code: string; message: string; fix: string }): string {
  return `${code}: ${message}${/[.?!]$/.test(message) ? '' : '.'} ${fix}`;
}

/** True where `error` is one of ours, with the given code where one is given. */
export function isSallyportError(error: unknown, code?: ErrorCode): error is SallyportError {
  return error instanceof SallyportError && (code === undefined || error.code === code);
}

function fill(template: string, details: Readonly<Record<string, string | number>>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => printable(details[name] ?? whole));
}

/** What a user typed may hold escape sequences or line breaks: none of it reaches a terminal or a log line. */
function printable(value: string | number): string {
  const text = String(value);
  const clean = text.slice(0, LONGEST_DETAIL).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '?');
  return text.length > LONGEST_DETAIL ? `${clean}…` : clean;
}
