import { createHash } from 'node:crypto';
import type { GuardLayout, GuardShape } from '../../core/firewall.js';
import { type GuardRules, withRules, writeRules } from '../../core/rules.js';

/** Told of the rules that are to hold now, and of those that come back where these are not confirmed. */
type OnRules = (current: GuardRules, fallback: GuardRules | null) => void;

/** Which rules hold, and which come back where nobody confirms them. It only keeps this: nothing here changes the kernel. */
export class RuleBook {
  readonly #layout: GuardLayout;
  #current: GuardRules;
  #fallback: GuardRules | null;
  #onRules: OnRules = () => undefined;

  /** @param options.layout the shape of the guard but for its rules */
  constructor(options: { layout: GuardLayout; current: GuardRules; fallback: GuardRules | null }) {
    this.#layout = options.layout;
    this.#current = options.current;
    this.#fallback = options.fallback;
  }

  get current(): GuardRules {
    return this.#current;
  }

  /** The last rules that lasted, while a change of them is provisional. */
  get fallback(): GuardRules | null {
    return this.#fallback;
  }

  get shape(): GuardShape {
    const fallback = this.#fallback === null ? null : withRules(this.#layout, this.#fallback);
    return { layout: withRules(this.#layout, this.#current), fallback };
  }

  /** One listener, told of the rules that there are and whenever they change. */
  watch(onRules: OnRules): void {
    this.#onRules = onRules;
    onRules(this.#current, this.#fallback);
  }

  set(current: GuardRules, fallback: GuardRules | null): void {
    this.#current = current;
    this.#fallback = fallback;
    this.#onRules(current, fallback);
  }
}

/** Stands for rules where only their being the same matters. */
export function rulesDigest(rules: GuardRules): string {
  return createHash('sha256')
    .update(JSON.stringify(writeRules(rules)))
    .digest('hex');
}
