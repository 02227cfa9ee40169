import { neverAllowed, parseAddress, parseTarget, type Target } from '../core/address.js';
import { parseHostName } from '../core/names/host-name.js';
import { parsePortRange, parsePortSpan } from '../core/ports.js';
import { ALL, SERVICE_NAME, type ServiceName } from '../core/service.js';
import { type Duration, formatDuration, parseDuration } from '../core/time.js';
import { CRON_FORM, isCron } from './cron.js';
import { plainText, textAs, Unreadable } from './leaf.js';
import { shown } from './problem.js';

/** The smallest pool: three ports of it are still some 10^9 sequences. */
const SMALLEST_POOL = 1000;
/** `sun_path` holds 108 bytes with the final NUL (unix(7)). */
const LONGEST_SOCKET_PATH = 107;
/** `IFNAMSIZ` is 16 with the final NUL. */
const INTERFACE = /^(?=.{1,15}$)[A-Za-z0-9_][A-Za-z0-9_.@+-]*\*?$/;
const LANGUAGE = /^[A-Za-z]{2,8}(_[A-Za-z0-9]{1,16}){0,3}$/;
const DIGIT = '[0-9]';
const PORT_PATTERN = `[1-9]${DIGIT}{0,4}`;

const NO_OWN_ADDRESSES = new Set<never>();

export function duration(range: { min: Duration; max: Duration }, meta: { description: string; written?: unknown[] }) {
  const read = (text: string) => {
    const value = parseDuration(text);
    if (value < range.min || value > range.max) {
      throw new Unreadable(
        `${shown(text)} is not between ${formatDuration(range.min)} and ${formatDuration(range.max)}`,
      );
    }
    return value;
  };
  const pattern = `^(${DIGIT}{1,10}(ms|s|m|h|d))+$`;
  return textAs('is not a duration (try 90s, 15m, 8h)', read, { ...meta, pattern });
}

export const portRange = textAs('is not a port (try tcp/22 or udp/10000-20000)', parsePortRange, {
  description: 'A protocol and a port, or a range of ports.',
  pattern: `^(tcp|udp)/${PORT_PATTERN}(-${PORT_PATTERN})?$`,
});

export const pool = textAs(
  'is not a range of ports (try 21000-29999)',
  (text) => {
    const span = parsePortSpan(text);
    const size = span.last - span.first + 1;
    if (size < SMALLEST_POOL) {
      throw new Unreadable(`${shown(text)} has room for ${size} ports only; a pool has at least ${SMALLEST_POOL}`);
    }
    return span;
  },
  {
    description:
      'The ports that sequences are drawn from: at least 1000, none of them a port of a service, best outside the local port range of the kernel.',
    written: ['21000-29999'],
    pattern: `^${PORT_PATTERN}-${PORT_PATTERN}$`,
  },
);

export const serviceName = textAs(
  'is not the name of a service (a small letter, then up to 23 small letters, digits, - or _)',
  (text): ServiceName => {
    if (text === ALL) throw new Unreadable('"all" is reserved: it stands for every service; choose another name');
    if (text === 'held')
      throw new Unreadable('"held" is reserved for addresses whose time is over; choose another name');
    if (!SERVICE_NAME.test(text)) throw new Error('not a name');
    return text as ServiceName;
  },
  { description: 'The name of a service.', pattern: SERVICE_NAME.source },
);

/** The name of a service where `services` is referred to; whether there is such a service is a cross check. */
export const serviceReference = textAs('is not the name of a service', (text) => text as ServiceName);

export const target = textAs(
  'is not an address or a CIDR (try 203.0.113.7 or 203.0.113.0/28)',
  (text): Target => {
    const value = parseTarget(text);
    const refusal = neverAllowed(value, NO_OWN_ADDRESSES);
    if (refusal !== undefined) throw new Unreadable(`${value} may never be let in: it is or holds ${refusal}`);
    return value;
  },
  { description: 'An address or a CIDR.', written: ['203.0.113.0/28'] },
);

export const interfaceName = textAs(
  'is not the name of an interface (at most 15 letters, digits and . _ - + @, perhaps a * at the end)',
  (text) => {
    if (!INTERFACE.test(text)) throw new Error('not a name');
    return text;
  },
  { description: 'The name of an interface.', pattern: INTERFACE.source },
);

export const trustedHost = textAs(
  'is not a host name (try home.example.org)',
  (text) => {
    if (isAddressText(text)) throw new Unreadable(`${shown(text)} is an address; put it under trusted.addresses`);
    return parseHostName(text);
  },
  { description: 'A host name; an international one in its xn-- form.', written: ['home.example.org'] },
);

export const providerName = textAs(
  'is not the name of a provider (try voip.ms)',
  (text) => {
    if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(text)) throw new Error('not a name');
    return text;
  },
  { description: 'The name of a provider of the catalogue.', pattern: '^[a-z0-9][a-z0-9._-]{0,63}$' },
);

export const note = textAs('is not text; put it in quotes', (text) => plainText(text, 200), {
  description: 'A remark for people, at most 200 characters.',
  written: ['head office'],
});

/** `secret` paths are never repeated in a message: a password may stand there by mistake. */
export function absolutePath(meta: { description: string }, { longest = 4095, secret = false } = {}) {
  const read = (text: string) => {
    if (!text.startsWith('/')) {
      throw new Unreadable(`${secret ? 'this' : shown(text)} is not an absolute path; it must begin with /`);
    }
    if (encodedLength(plainText(text, longest)) > longest) throw new Unreadable(`it is longer than ${longest} bytes`);
    return text;
  };
  return textAs('is not a path', read, { ...meta, pattern: '^/' });
}

export const socketPath = absolutePath(
  { description: 'The Unix socket of the control API, an absolute path of at most 107 bytes.' },
  { longest: LONGEST_SOCKET_PATH },
);

export const extension = textAs(
  'is not an extension; write its digits in quotes, like "864", so that leading zeros stay',
  (text) => {
    if (!/^\d{1,20}$/.test(text)) throw new Error('not digits');
    return text;
  },
  { description: 'The extension to call: digits, in quotes.', written: ['864'], pattern: '^[0-9]{1,20}$' },
);

/** An http or https URL without credentials; a refused one is not repeated, since it may hold a password. */
export const ariUrl = textAs(
  'is not a URL (try http://127.0.0.1:8088)',
  (text) => {
    const url = URL.canParse(plainText(text, 500)) ? new URL(text) : undefined;
    if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
      throw new Unreadable('this is not an http or https URL (try http://127.0.0.1:8088)');
    }
    if (url.username !== '' || url.password !== '') {
      throw new Unreadable('a URL with a user name or password; use username and password_file instead');
    }
    return text;
  },
  { description: 'Where Asterisk serves ARI.' },
);

const IDENTIFIER = /^(?!general$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;

/** A name that stands in files of Asterisk as it is: nothing there that could end a section or begin an argument. */
export const identifier = (meta: { description: string }) =>
  textAs(
    'is not a name here: up to 64 letters, digits and . _ -; put it in quotes where it is a number',
    (text) => {
      if (!IDENTIFIER.test(text)) throw new Error('not a name');
      return text;
    },
    { ...meta, pattern: IDENTIFIER.source },
  );

export const language = textAs(
  'is not a language as Asterisk names its folder of sounds (try en, de, or pt_BR)',
  (text) => {
    if (!LANGUAGE.test(text)) throw new Error('not a language');
    return text;
  },
  {
    description:
      'The language of what is said: the folder of sounds, as Asterisk names it. The recordings that come along are `en`.',
    written: ['de'],
    pattern: LANGUAGE.source,
  },
);

/** A host name or an address to connect to. */
export const hostOrAddress = (meta: { description: string }) =>
  textAs(
    'is not a host name or an address',
    (text) => (isAddressText(text) ? parseAddress(text) : readHostName(text)),
    meta,
  );

function readHostName(text: string): string {
  try {
    return parseHostName(text);
  } catch (error) {
    // What is wrong with it as a name helps nobody who meant an address.
    throw new Error('not a host name', { cause: error });
  }
}

export const cronSchedule = textAs(
  'is not a cron expression (try */10 * * * *)',
  (text) => {
    if (!isCron(text)) throw new Error('not a cron expression');
    return text;
  },
  {
    description:
      'When all names are looked up anew, besides what their TTL asks for: a cron expression of 5 fields (minute, hour, day, month, weekday) or 6 (second first), of numbers, `*`, `/`, `-` and commas.',
    written: ['*/5 * * * *'],
    pattern: CRON_FORM,
  },
);

export const nameServer = textAs(
  'is not the address of a name server (try 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353)',
  (text) => {
    const withPort = /^(?:\[([^\]]+)\]|([^:]+)):([1-9]\d{0,4})$/.exec(text);
    if (withPort === null) return parseAddress(text) as string;
    const [, six, four = '', port] = withPort;
    const address = parseAddress(six ?? four);
    const isSix = address.includes(':');
    if (Number(port) > 65535 || isSix !== (six !== undefined)) throw new Error('not a name server');
    return isSix ? `[${address}]:${port}` : `${address}:${port}`;
  },
  { description: 'A name server: its address, perhaps with a port.', written: ['192.0.2.53'] },
);

function isAddressText(text: string): boolean {
  try {
    parseTarget(text);
    return true;
  } catch {
    return false;
  }
}

function encodedLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
