import { type Address, parseAddress } from '../core/address.js';
import type { Authorization, AuthorizationFault } from '../core/phone/link.js';

/** The name of the events that are for us: `UserEvent(SallyportAuthorize,Account: 1001)`. */
export const AUTHORIZE_EVENT = 'SallyportAuthorize';

/** Milliseconds in which the address follows the account. */
const JOINED_WITHIN = 5000;
const MOST_WAITING = 1000;
/** What Asterisk itself says in an event of the dialplan, by the names that the library gives the headers. */
const ASTERISKS_OWN: ReadonlySet<string> = new Set(
  `event privilege sequencenumber timestamp systemname file line func channel channelstate channelstatedesc calleridnum
  calleridname connectedlinenum connectedlinename language accountcode context exten priority uniqueid linkedid tenantid
  userevent`.split(/\s+/),
);

type Half = { readonly account: string } | { readonly address: Address } | { readonly fault: AuthorizationFault };

/**
 * Joins the two events by which an administrator's dialplan lets somebody in: the account first, then the address, both of one
 * channel. Each event has one header of ours and no other that is not Asterisk's, so that no text which found its way into one
 * can bring another header along.
 */
export class UserEvents {
  readonly #now: () => number;
  /** By channel: the account whose address is still to come, the oldest first. */
  readonly #waiting = new Map<string, { readonly account: string; readonly at: number }>();

  /** @param now milliseconds on a clock that only goes forward */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** How many accounts wait for their address. */
  get size(): number {
    return this.#waiting.size;
  }

  /** What an event comes to, as the library hands it on; undefined where it is none of ours, or the account alone. */
  take(event: unknown): Authorization | undefined {
    const headers = (event ?? {}) as Readonly<Record<string, unknown>>;
    if (![headers.userevent].flat().includes(AUTHORIZE_EVENT)) return undefined;
    // Of a header that was sent twice each may be the true one: what waits there is dropped.
    const [before] = [headers.uniqueid].flat().map((channel) => this.#used(String(channel)));
    const half = readHalf(headers);
    if ('fault' in half) return half;
    if ('address' in half) return before === undefined ? { fault: 'no-account' } : { account: before, ...half };
    if (before !== undefined) return { fault: 'second-account' };
    this.#keep(String(headers.uniqueid), half.account);
    return undefined;
  }

  /** The account that waits on a channel; it waits no more. */
  #used(channel: string): string | undefined {
    const waiting = this.#waiting.get(channel);
    this.#waiting.delete(channel);
    return waiting === undefined || this.#isLate(waiting) ? undefined : waiting.account;
  }

  #keep(channel: string, account: string): void {
    for (const [other, waiting] of this.#waiting) {
      if (this.#waiting.size < MOST_WAITING && !this.#isLate(waiting)) break;
      this.#waiting.delete(other);
    }
    this.#waiting.set(channel, { account, at: this.#now() });
  }

  #isLate({ at }: { readonly at: number }): boolean {
    return this.#now() - at > JOINED_WITHIN;
  }
}

function readHalf(headers: Readonly<Record<string, unknown>>): Half {
  if (headers.channel === undefined || !headers.uniqueid) return { fault: 'no-channel' };
  // The variables of channels that manager.conf names; the library makes a table of them.
  const { chanvariable: _, ...all } = headers;
  if (Object.values(all).some((value) => typeof value !== 'string')) return { fault: 'repeated' };
  const ours = Object.entries(all).filter(([name]) => !ASTERISKS_OWN.has(name)) as [string, string][];
  if (ours.some(([name]) => name !== 'account' && name !== 'address')) return { fault: 'foreign' };
  const [one, other] = ours;
  if (one === undefined) return { fault: 'neither' };
  if (other !== undefined) return { fault: 'both' };
  const [name, value] = one;
  if (name === 'account') return /^\d{1,20}$/.test(value) ? { account: value } : { fault: 'odd' };
  try {
    return { address: parseAddress(value) };
  } catch {
    return { fault: 'odd' };
  }
}
