import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuardLayout } from '../core/firewall.js';
import { writeWhole } from './whole-file.js';

/**
 * What was last loaded: the layout, so that the boot step can close the doors even where the configuration has become
 * unreadable, and the digest of the kernel's own listing of it, so that a later start can tell whether the rules are
 * still as they were loaded.
 */
export interface SavedGuard {
  readonly layout: GuardLayout;
  readonly listing: string;
}

const FILE = 'guard.json';
const FORMAT = 1;
/** What files of older versions do not tell. */
const OLDER = { knocks: 'kernel', strikes: null, policy: 'guard', forwardFrom: [], openPorts: [] } as const;

/** SHA-256, hex. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/**
 * Replaces the file as a whole or not at all.
 * @throws SP_STORE_FULL, SP_STATE_UNWRITABLE
 */
export async function saveGuard(directory: string, { layout, listing }: SavedGuard): Promise<void> {
  const text = JSON.stringify({ format: FORMAT, listing, layout: { ...layout, guarded: [...layout.guarded] } });
  await writeWhole(directory, FILE, `${text}\n`);
}

/** undefined where nothing was saved, or it cannot be read. */
export async function loadSavedGuard(directory: string): Promise<SavedGuard | undefined> {
  try {
    const saved = JSON.parse(await readFile(join(directory, FILE), 'utf8'));
    if (saved?.format !== FORMAT || typeof saved.listing !== 'string') return undefined;
    const { guarded, ...layout } = saved.layout;
    return { listing: saved.listing, layout: { ...OLDER, ...layout, guarded: new Map(guarded) } };
  } catch {
    return undefined;
  }
}
