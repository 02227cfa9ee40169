/** The Asterisk that `npm test` fetched into a folder of its own (scripts/lib/asterisk.mjs). */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FALLBACK = fileURLToPath(new URL('../../../.cache/asterisk', import.meta.url));

/** Where it is, or the reason why it is not there (for `context.skip(reason)`). */
export function asteriskFolder(): { readonly folder?: string; readonly reason: string } {
  const folder = process.env.SALLYPORT_ASTERISK ?? FALLBACK;
  if (existsSync(join(folder, 'complete'))) return { folder, reason: '' };
  return { reason: process.env.SALLYPORT_ASTERISK_MISSING ?? 'Asterisk is not there: "npm test" fetches it' };
}
