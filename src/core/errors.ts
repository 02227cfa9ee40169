/**
 * Every error that a user can meet: its public text, and what to do next. `{name}` is filled from the details.
 * `usage` marks what was wrong with the words of a command (exit status 2 instead of 1).
 * docs/errors.md is generated from this table and checked against it.
 */
export const ERRORS = {
  SP_ADDRESS_INVALID: {
    text: '"{value}" is not an IPv4 or IPv6 address',
    fix: 'Write it like 203.0.113.7 or 2001:db8::7.',
    usage: true,
  },
  SP_ADDRESS_MAPPED: {
    text: '"{value}" is an IPv4 address in IPv6 clothes',
    fix: 'Write the plain IPv4 address {ipv4}.',
    usage: true,
  },
  SP_ADDRESS_REFUSED: {
    text: '{address} may never be let in: it is {reason}',
    fix: 'Give the address that the other machine is seen with from here.',
    usage: false,
  },
  SP_TARGET_INVALID: {
    text: '"{value}" is not an address, a CIDR or a host name',
    fix: 'Write it like 203.0.113.7, 203.0.113.0/28 or home.example.org.',
    usage: true,
  },
  SP_PREFIX_INVALID: {
    text: '"{value}" is not a CIDR: {problem}',
    fix: 'Write it like 203.0.113.0/28 or 2001:db8::/48.',
    usage: true,
  },
  SP_DURATION_INVALID: {
    text: '"{value}" is not a duration',
    fix: 'Try 90s, 15m, 8h or 2d.',
    usage: true,
  },
  SP_PORT_INVALID: {
    text: '"{value}" is not a port',
    fix: 'Write the protocol and a number from 1 to 65535, like tcp/22 or udp/10000-20000.',
    usage: true,
  },
  SP_SEQUENCE_INVALID: {
    text: 'that knock sequence cannot be used: {problem}',
    fix: 'Give 2 to 8 different ports of the pool, no two of them neighbours, like tcp/21234,udp/28111,tcp/24711, or leave the choice to us.',
    usage: true,
  },
  SP_NAME_INVALID: {
    text: '"{value}" cannot be a user name',
    fix: 'Use 1 to 32 letters, digits, dots, dashes or underscores, beginning with a letter or digit.',
    usage: true,
  },
  SP_SERVICE_UNKNOWN: {
    text: 'there is no service "{value}"',
    fix: 'The configuration has: {known}.',
    usage: true,
  },
  SP_USAGE: {
    text: '{problem}',
    fix: 'Run it with --help to see how it is written.',
    usage: true,
  },
} as const satisfies Record<string, ErrorEntry>;

interface ErrorEntry {
  readonly text: string;
  readonly fix: string;
  readonly usage: boolean;
}

export type ErrorCode = keyof typeof ERRORS;

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

  /** One line for stderr: code, what is wrong, what to do. */
  toLine(): string {
    return `${this.code}: ${this.message}. ${this.fix}`;
  }
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
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is being removed
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/g, '?');
  return clean.length > 200 ? `${clean.slice(0, 200)}…` : clean;
}
