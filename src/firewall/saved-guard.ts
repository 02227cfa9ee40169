import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuardLayout, KeptRules, LayoutRules } from '../core/firewall.js';
import type { PortRange } from '../core/ports.js';
import { readRules, type WrittenRules, withRules, writeRules } from '../core/rules.js';
import type { ServiceName } from '../core/service.js';
import { FIRST_SLOTS, type Slots } from './placement.js';
import { writeWhole } from './whole-file.js';

/** What is kept of the guard beside the database, so that the boot step needs neither that nor a sound configuration. */
export interface SavedGuard {
  /** The digest of the kernel's own listing of what was loaded, so that a later start can tell whether it is still so. */
  readonly listing: string;
  /** The digest of the text that was loaded; null where an older version did not keep it. */
  readonly text: string | null;
  /** Where its generations stand. */
  readonly slots: Slots;
  /** The rules that lasted; null where none ever did. */
  readonly kept: KeptRules | null;
  /** The layout that an older version has kept, which knew nothing of rules; null in a file of this one. */
  readonly older: GuardLayout | null;
}

const FILE = 'guard.json';
const FORMAT = 2;
/** What files of older versions do not tell. */
const OLDER = { knocks: 'kernel', strikes: null, policy: 'guard', forwardFrom: [], openPorts: [] } as const;

type LayoutRest = Omit<GuardLayout, keyof LayoutRules>;

/** The file as it is. */
interface Written {
  readonly format: typeof FORMAT;
  readonly listing: string;
  readonly text: string | null;
  readonly slots?: Slots;
  readonly kept: { readonly layout: LayoutRest; readonly rules: WrittenRules } | null;
}

/** SHA-256, hex. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/**
 * Replaces the file as a whole or not at all.
 * @throws SP_STORE_FULL, SP_STATE_UNWRITABLE
 */
export async function saveGuard(
  directory: string,
  { listing, text, slots, kept }: Omit<SavedGuard, 'older'>,
): Promise<void> {
  const content: Written = { format: FORMAT, listing, text, slots, kept: kept === null ? null : write(kept) };
  await writeWhole(directory, FILE, `${JSON.stringify(content)}\n`);
}

function write({ layout, rules }: KeptRules): Written['kept'] {
  const { policy, guarded, onExpiry, trustedInterfaces, forwardFrom, openPorts, ...rest } = layout;
  return { layout: rest, rules: writeRules(rules) };
}

/** undefined where nothing was saved, or it cannot be read. */
export async function loadSavedGuard(directory: string): Promise<SavedGuard | undefined> {
  try {
    const saved = JSON.parse(await readFile(join(directory, FILE), 'utf8'));
    if (typeof saved?.listing !== 'string') return undefined;
    if (saved.format === 1) return readOlder(saved);
    if (saved.format !== FORMAT) return undefined;
    const { listing, text, slots = FIRST_SLOTS, kept } = saved as Written;
    return { listing, text, slots, kept: kept === null ? null : read(kept), older: null };
  } catch {
    return undefined;
  }
}

function read({ layout, rules }: NonNullable<Written['kept']>): KeptRules {
  const known = readRules(rules);
  return { layout: withRules(layout, known), rules: known };
}

/** Format 1 had the layout of what was loaded last, and not whom the configuration lets in. */
function readOlder({ listing, layout: { guarded, ...layout } }: { listing: string; layout: OlderLayout }): SavedGuard {
  return {
    listing,
    text: null,
    slots: FIRST_SLOTS,
    kept: null,
    older: { ...OLDER, ...layout, guarded: new Map(guarded) },
  };
}

type OlderLayout = Omit<GuardLayout, 'guarded'> & {
  readonly guarded: readonly (readonly [ServiceName, readonly PortRange[]])[];
};
