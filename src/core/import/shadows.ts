import { type Address, coveringTargets, isAddress, prefixLength, type Target } from '../address.js';
import type { PortRange } from '../ports.js';
import { PortCover } from './port-cover.js';
import type { Who } from './reading.js';

type Ports = readonly PortRange[] | null;

/** Rules that end a packet's way, so that what stands behind them for the same packets is never reached. */
export class Shadows {
  readonly #of = new Map<string, PortCover>();

  /** `who` null for everybody, `ports` null for all. */
  add(who: Who | null, ports: Ports): void {
    const key = keyOf(who);
    const cover = this.#of.get(key) ?? new PortCover();
    cover.add(ports);
    this.#of.set(key, cover);
  }

  /** Whether no packet of these gets past. */
  hide(who: Who | null, ports: Ports): boolean {
    if (this.#of.size === 0) return false;
    return (
      this.#hides('', ports) ||
      (who !== null &&
        (who.kind === 'target' ? networksOf(who.target) : [keyOf(who)]).some((key) => this.#hides(key, ports)))
    );
  }

  #hides(key: string, ports: Ports): boolean {
    return this.#of.get(key)?.covers(ports) ?? false;
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
