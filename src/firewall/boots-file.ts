import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Boot, RESCUE_BOOTS } from '../core/boots.js';
import type { Instant } from '../core/time.js';
import { writeWhole } from './whole-file.js';

const FILE = 'boots.json';
const LONGEST_ID = 64;

/** The starts of the machine that were noted; none where there is no such file, or it makes no sense. */
export async function loadBoots(directory: string): Promise<readonly Boot[]> {
  try {
    const found: unknown = JSON.parse(await readFile(join(directory, FILE), 'utf8'));
    return Array.isArray(found) ? found.flatMap(toBoot).slice(-RESCUE_BOOTS) : [];
  } catch {
    return [];
  }
}

/** @throws SP_STORE_FULL, SP_STATE_UNWRITABLE */
export async function saveBoots(directory: string, boots: readonly Boot[]): Promise<void> {
  await writeWhole(directory, FILE, `${JSON.stringify(boots)}\n`);
}

function toBoot(found: unknown): Boot[] {
  const { id, at } = (found ?? {}) as { id?: unknown; at?: unknown };
  if (typeof id !== 'string' || id.length > LONGEST_ID || !Number.isFinite(at)) return [];
  return [{ id, at: at as Instant }];
}
