import { type Address, coveringTargets, isAddress, prefixLength, type Target } from '../address.js';
import type { PortRange } from '../ports.js';
import type { Who } from './reading.js';

type Ports = readonly PortRange[] | null;

/** Rules that end a packet's way, so that what stands behind them for the same packets is never reached. */
export class Shadows {
  readonly #of = new Map<string, Ports[]>();

  /** `who` null for everybody, `ports` null for all. */
  add(who: Who | null, ports: Ports): void {
    const key = keyOf(who);
    const there = this.#of.get(key);
    if (there === undefined) this.#of.set(key, [ports]);
    else there.push(ports);
  }

  /** Whether no packet of these gets past. */
  hide(who: Who | null, ports: Ports): boolean {
    return (
      this.#hides('', ports) ||
      (who !== null &&
        (who.kind === 'target' ? networksOf(who.target) : [keyOf(who)]).some((key) => this.#hides(key, ports)))
    );
  }

  #hides(key: string, ports: Ports): boolean {
    return this.#of.get(key)?.some((over) => coversPorts(over, ports)) ?? false;
  }
}

/** A target itself and every network around it, the narrowest first. */
export function networksOf(target: Target): Target[] {
  const address = (isAddress(target) ? target : target.slice(0, target.indexOf('/'))) as Address;
  return coveringTargets(address)
    .slice(0, prefixLength(target) + 1)
    .reverse();
}

function keyOf(who: Who | null): string {
  if (who === null) return '';
  return who.kind === 'target' ? who.target : who.name;
}

function coversPorts(over: Ports, ports: Ports): boolean {
  if (over === null) return true;
  return (
    ports?.every((one) =>
      over.some(({ protocol, first, last }) => protocol === one.protocol && first <= one.first && one.last <= last),
    ) ?? false
  );
}
