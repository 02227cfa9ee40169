import type { Target } from '../address.js';
import type { ServiceName } from '../service.js';
import type { Duration } from '../time.js';

/** What is said to a caller, in parts. */
export type Prompt =
  /** A recorded sentence. */
  | { readonly say: PromptName }
  /** One by one. */
  | { readonly digits: string }
  /** An address or a CIDR: digits, letters, dots, colons, slash. */
  | { readonly address: Target }
  | { readonly duration: Duration }
  | { readonly number: number }
  | { readonly services: readonly ServiceName[] };

export type PromptName = string;
