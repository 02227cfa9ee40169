/** How to call npm. */
import { existsSync, readFileSync } from 'node:fs';
import { at } from './checkout.mjs';
import { mustRun } from './run.mjs';

/** The npm that called us, or the one on the path; for an npm that fails on this project, a newer one through it. */
export async function npmCommand() {
  const caller = process.env.npm_execpath ?? '';
  const npm = /npm-cli\.c?js$/.test(caller) && existsSync(caller) ? [process.execPath, caller] : ['npm'];
  const version = await mustRun('npm', [...npm, '--version'], 'Install npm 10 or newer.', { quiet: true });
  // npm 9 fails on every alias ("npm:…") in overrides, with a message about something else.
  const aliases = JSON.stringify(JSON.parse(readFileSync(at('package.json'), 'utf8')).overrides ?? {}).includes(
    '"npm:',
  );
  if (Number.parseInt(version, 10) >= 10 || !aliases) return npm;
  return [...npm, 'exec', '--yes', '--package=npm@10', '--', 'npm'];
}
