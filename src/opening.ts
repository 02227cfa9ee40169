import type { Firewall, GuardState, KeptRules } from './core/firewall.js';
import type { StoredState } from './core/store.js';
import type { Clock } from './core/time.js';
import { loadSavedGuard } from './firewall/saved-guard.js';
import { hasLapsed, openingRules } from './gate/guard/opening-rules.js';
import { RuleBook, rulesDigest } from './gate/guard/rule-book.js';
import type { Recorder } from './gate/recorder.js';

/** How a gateway finds the kernel, and which rules it starts with. */
export interface Opening {
  readonly found: GuardState;
  readonly book: RuleBook;
  /** The configuration asks for other rules, which nobody has confirmed when they were tried. */
  readonly isDeclined: boolean;
}

/** Decides which rules to start with: those of the configuration, or the last ones that lasted. Changes nothing in the kernel. */
export async function openGuard(options: {
  readonly configured: KeptRules;
  readonly state: Pick<StoredState, 'meta'>;
  readonly directory: string;
  readonly firewall: Pick<Firewall, 'inspect'>;
  readonly recorder: Recorder;
  readonly clock: Clock;
}): Promise<Opening> {
  const { configured, state, firewall, recorder, clock } = options;
  const { layout, rules } = configured;
  const saved = state.meta.confirmed === 'yes' ? await loadSavedGuard(options.directory) : undefined;
  const { isDeclined, ...opening } = openingRules({
    configured: rules,
    kept: saved?.kept?.rules ?? null,
    declined: state.meta.declined,
  });
  const book = new RuleBook({ layout, ...opening });
  const found = await firewall.inspect(book.shape);
  if (opening.fallback === null || !hasLapsed(opening, found)) return { found, book, isDeclined };
  void recorder.record([
    {
      kind: 'journal',
      event: {
        at: clock.now(),
        event: 'firewall.reverted',
        detail: 'nobody confirmed it while the gateway was not running; the previous rules hold again',
      },
    },
    { kind: 'meta', key: 'declined', value: rulesDigest(rules) },
  ]);
  // What the kernel holds is of another shape now: it is replaced.
  const replaced = { ...found, table: 'foreign' } as const;
  return {
    found: replaced,
    book: new RuleBook({ layout, current: opening.fallback, fallback: null }),
    isDeclined: true,
  };
}
