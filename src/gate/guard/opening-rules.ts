import type { GuardState } from '../../core/firewall.js';
import type { GuardRules } from '../../core/rules.js';
import { compareRules } from '../../core/rules-change.js';
import { rulesDigest } from './rule-book.js';

/** The rules that a gateway starts with. */
export interface OpeningRules {
  readonly current: GuardRules;
  /** What comes back where nobody confirms them. */
  readonly fallback: GuardRules | null;
  /** The configuration asks for other rules, which nobody has confirmed when they were tried. */
  readonly isDeclined: boolean;
}

/**
 * What to start with. A configuration that closes something more than the last rules that lasted is tried provisionally,
 * once: whoever wrote it may have shut himself out.
 * @param options.kept the last rules that lasted; null where there are none, or they were never confirmed
 * @param options.declined the digest of the rules that were tried last and not confirmed
 */
export function openingRules(options: {
  readonly configured: GuardRules;
  readonly kept: GuardRules | null;
  readonly declined: string | undefined;
}): OpeningRules {
  const { configured, kept, declined } = options;
  // The open ports are not the author's: an interface that is not up yet listens nowhere, and its port is opened when it is.
  const before = kept === null ? configured : { ...kept, openPorts: configured.openPorts };
  const isHarmless = kept === null || compareRules(before, configured).every(({ effect }) => effect !== 'closes');
  if (isHarmless) return { current: configured, fallback: null, isDeclined: false };
  if (rulesDigest(configured) === declined) return { current: kept, fallback: null, isDeclined: true };
  return { current: configured, fallback: kept, isDeclined: false };
}

/** Whether a change has lapsed in the kernel while no gateway ran: it is not tried again. */
export function hasLapsed({ fallback }: Pick<OpeningRules, 'fallback'>, found: GuardState): boolean {
  return fallback !== null && found.table === 'intact' && found.arming === null && found.hasFallback;
}
