import { type Address, covers, type Target } from './address.js';
import type { LayoutRules } from './firewall.js';
import { inSpan, type Port } from './ports.js';
import { ALL, type Scope, type ServiceName } from './service.js';

/** Something that is let in: an entry or a grant. */
export interface Allowed {
  readonly target: Target;
  readonly services: Scope;
}

type ClosingRules = Pick<LayoutRules, 'policy' | 'guarded' | 'openPorts'>;

/** Whether strangers do not get in to a TCP port. */
function isClosed({ policy, guarded, openPorts }: ClosingRules, port: Port): boolean {
  const has = ({ protocol, ...span }: { protocol: string; first: Port; last: Port }) =>
    protocol === 'tcp' && inSpan(port, span);
  if ([...guarded.values()].some((ranges) => ranges.some(has))) return true;
  return policy === 'lockdown' && !openPorts.some(has);
}

/** Whether what is let in to these services gets in to a TCP port. */
function coversPort({ guarded }: Pick<ClosingRules, 'guarded'>, services: Scope, port: Port): boolean {
  const hasPort = (name: ServiceName) =>
    (guarded.get(name) ?? []).some(({ protocol, ...span }) => protocol === 'tcp' && inSpan(port, span));
  return services.some((name) => name === ALL || hasPort(name));
}

/** Whether an address gets in to a TCP port, by what the rules close and whom they let in by address. */
export function reaches(rules: ClosingRules, allowed: Iterable<Allowed>, address: Address, port: Port): boolean {
  if (!isClosed(rules, port)) return true;
  for (const { target, services } of allowed) {
    if (covers(target, address) && coversPort(rules, services, port)) return true;
  }
  return false;
}

/** How somebody may get in to a TCP port at some time: what there is before or after a change. */
export interface WaysIn {
  readonly rules: ClosingRules & Pick<LayoutRules, 'trustedInterfaces'>;
  /** Entries: what is let in until it is removed. */
  readonly entries: readonly Allowed[];
  /** The grants that let an address in. */
  readonly grantsFor: (address: Address) => readonly Allowed[];
  /** The services that knocks open, of each user. */
  readonly knocks: readonly Scope[];
}

/** Whether there is any way in to a TCP port that lasts: grants end. */
function hasWayIn({ rules, entries, knocks }: WaysIn, port: Port): boolean {
  return (
    !isClosed(rules, port) ||
    rules.trustedInterfaces.length > 0 ||
    entries.some(({ services }) => coversPort(rules, services, port)) ||
    knocks.some((services) => coversPort(rules, services, port))
  );
}

/** Whom a change would shut out of SSH. */
export interface Lockout {
  /** Peers of live sessions that get in now, and would not any more. */
  readonly peers: readonly Address[];
  /** Whether nobody would get in any more, who could before. */
  readonly everyone: boolean;
}

/**
 * Whom a change would shut out of sshd. A peer that no rule for addresses lets in has come by a trusted interface, if
 * there is any: it is shut out where one of these goes.
 * @param peers the other ends of authenticated sessions
 * @param ports where sshd listens; one of them is enough
 */
export function lockoutOf(before: WaysIn, after: WaysIn, peers: readonly Address[], ports: readonly Port[]): Lockout {
  const lost = before.rules.trustedInterfaces.some((name) => !after.rules.trustedInterfaces.includes(name));
  const getsIn = ({ rules, entries, grantsFor }: WaysIn, address: Address) =>
    ports.some((port) => reaches(rules, [...entries, ...grantsFor(address)], address, port));
  const couldEnter = (address: Address) => getsIn(before, address) || lost;
  return {
    peers: peers.filter((address) => couldEnter(address) && !getsIn(after, address)),
    everyone: ports.some((port) => hasWayIn(before, port)) && !ports.some((port) => hasWayIn(after, port)),
  };
}
