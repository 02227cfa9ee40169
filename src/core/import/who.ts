import { type Address, covers, networkTarget, parseAddress, parseTarget, prefixLength } from '../address.js';
import { ipv4ToNumber } from '../address-text.js';
import { type HostName, parseHostName } from '../names/host-name.js';
import type { Who } from './reading.js';

/** Reads the source of a rule; null for everybody, undefined for what is none. Host bits are masked, as iptables does. */
export function readWho(text: string): Who | null | undefined {
  const [head = '', mask, ...more] = text.split('/');
  if (more.length > 0) return undefined;
  const address = readAddress(head);
  if (address === undefined) {
    const name = mask === undefined || mask === '32' || mask === '128' ? readHostName(head) : undefined;
    return name === undefined ? undefined : { kind: 'name', name };
  }
  const length = mask === undefined ? prefixLength(address) : readMask(mask, prefixLength(address));
  if (length === undefined) return undefined;
  return length === 0 ? null : { kind: 'target', target: networkTarget(address, length) };
}

function readHostName(text: string): HostName | undefined {
  try {
    return parseHostName(text);
  } catch {
    return undefined;
  }
}

function readAddress(text: string): Address | undefined {
  try {
    return parseAddress(text);
  } catch {
    return undefined;
  }
}

/** `24` or `255.255.255.0` as a length; undefined for what is none, or has holes. */
function readMask(mask: string, most: number): number | undefined {
  if (/^\d{1,3}$/.test(mask)) return Number(mask) <= most ? Number(mask) : undefined;
  const bits = ipv4ToNumber(mask);
  if (most !== 32 || bits === undefined) return undefined;
  const length = Math.clz32(~bits);
  return bits === (length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0) ? length : undefined;
}

const LOOPBACK = ['127.0.0.0/8', '::1'].map(parseTarget);

export function isLoopback(who: Who): boolean {
  return who.kind === 'target' ? LOOPBACK.some((net) => covers(net, who.target)) : who.name === 'localhost';
}

/** Providers that are no more, which Incredible PBX has let in for years. */
const RETIRED: readonly (readonly [who: string, what: string])[] = [
  ['66.54.140.46', 'IPkall'],
  ['66.54.140.47', 'IPkall'],
  ['googlelabs.com', 'Google Voice'],
  ['talk.google.com', 'Google Voice'],
  ['gmail.com', 'Google Voice'],
];

/** The provider that somebody was, where it is no more. */
export function retired(who: Who): string | undefined {
  const text = who.kind === 'target' ? who.target : who.name;
  return RETIRED.find(([one]) => one === text)?.[1];
}
