import { connect } from 'node:net';
import { join } from 'node:path';
import type { Io } from './cli/index.js';
import { loadConfig } from './config/load.js';
import { isSallyportError, SallyportError } from './core/errors.js';

import { type Written, write } from './phone/setup/apply.js';
import { type Check, checkPhone } from './phone/setup/checks.js';
import { planPhoneSection } from './phone/setup/config-section.js';
import { askConsole, consoleCommand, RELOADS } from './phone/setup/console.js';
import { findAsterisk } from './phone/setup/home.js';
import { type FileChange, type InstallPlan, planInstall } from './phone/setup/plan.js';
import { everySound } from './phone/setup/sounds.js';

/** The recordings that come with us: beside `dist`. */
const RECORDINGS = join(import.meta.dirname, '..', 'dialplan', 'sounds', 'en', 'sallyport');
const DAEMON_PATIENCE_MS = 1000;

interface InstallOptions {
  readonly file: string;
  readonly asteriskDir: string;
  readonly context?: string;
  readonly print: boolean;
  readonly reload: boolean;
  readonly json: boolean;
  readonly io: Io;
}

/** `sallyport phone install`: writes what Asterisk needs for the menu, or shows it. */
export async function phoneInstall(options: InstallOptions): Promise<number> {
  const { file, asteriskDir, context, print, reload, json, io } = options;
  const { phone } = await loadConfig(file);
  const home = await findAsterisk(asteriskDir);
  const plan = await planInstall({ phone, home, context, recordings: RECORDINGS });
  const section = phone.configured ? [] : [await planPhoneSection(file)];
  const changes = [...plan.changes, ...section];
  if (print) {
    io.stdout.write(json ? `${JSON.stringify(shown(plan, changes), null, 2)}\n` : printed(plan, changes));
    return 0;
  }
  const stamp = new Date()
    .toISOString()
    .replace(/[-:]|\.\d+Z$/g, '')
    .replace('T', '-');
  const written: Written[] = [];
  for (const change of changes) written.push(await write(change, stamp));
  if (reload) for (const line of RELOADS) await reloaded(asteriskDir, line);
  const remarks = [
    ...plan.remarks,
    ...(section.length > 0 ? [`the daemon reads ${file} when it starts: restart it`] : []),
  ];
  const toReload = reload || written.length === 0 ? [] : RELOADS.map((line) => consoleCommand(asteriskDir, line));
  if (json) {
    const { home: found, context: door } = plan;
    const asterisk = { directory: found.directory, kind: found.kind, context: door, extension: phone.extension };
    io.stdout.write(`${JSON.stringify({ asterisk, written, reloaded: reload, to_run: toReload, remarks }, null, 2)}\n`);
    return 0;
  }
  for (const line of told(plan, written, phone.extension)) io.stdout.write(`${line}\n`);
  for (const remark of remarks) io.stdout.write(`note: ${remark}\n`);
  if (reload) io.stdout.write('Asterisk has taken it.\n');
  if (toReload.length > 0) {
    io.stdout.write('Now have Asterisk take it (or run this again with --reload):\n');
    for (const words of toReload) io.stdout.write(`  ${words.map(quoted).join(' ')}\n`);
  }
  io.stdout.write('Then see that all is well: sallyport phone test\n');
  return 0;
}

async function reloaded(directory: string, line: string): Promise<void> {
  const answer = await askConsole(directory, line);
  if (!answer.ok) throw new SallyportError('SP_PHONE_RELOAD', { command: line, problem: answer.problem });
}

function told(plan: InstallPlan, written: readonly Written[], extension: string): string[] {
  const kind = plan.home.kind === 'freepbx' ? 'FreePBX' : 'Asterisk';
  const head = `${kind} in ${plan.home.directory}: ${extension}, dialled from [${plan.context}], leads to the menu.`;
  if (written.length === 0) return [head, 'All of it was in place already; nothing was changed.'];
  const verb = { made: 'made', changed: 'changed', rights: 'closed to others' };
  const sounds = written.filter(({ path }) => path.endsWith('.wav'));
  const rest = written.filter((one) => !sounds.includes(one));
  return [
    head,
    ...(sounds.length > 0 ? [`  made     ${sounds.length} recordings in ${folderOf(sounds[0]?.path ?? '')}`] : []),
    ...rest.map(
      ({ path, did, backup }) => `  ${verb[did].padEnd(8)} ${path}${backup === null ? '' : ` (before: ${backup})`}`,
    ),
  ];
}

function printed({ secrets, remarks }: InstallPlan, changes: readonly FileChange[]): string {
  const parts = changes.map(({ path, isNew, content, added }) => {
    if (content === undefined) return `# ${path}: to be closed to others\n\n`;
    if (added === null) return `# ${path}: a recording, ${content.length} bytes\n`;
    const text = masked(added, secrets);
    return `# ${path}${isNew ? '' : ', changed by'}:\n${text}${text.endsWith('\n') ? '' : '\n'}\n`;
  });
  const notes = remarks.map((remark) => `# note: ${remark}\n`);
  return parts.length === 0 ? `# All of it is in place already.\n${notes.join('')}` : [...parts, ...notes].join('');
}

function shown({ home, context, secrets, remarks }: InstallPlan, changes: readonly FileChange[]): object {
  return {
    asterisk: { directory: home.directory, kind: home.kind, context },
    changes: changes.map(({ path, isNew, added }) => ({
      path,
      new: isNew,
      added: added === null ? null : masked(added, secrets),
    })),
    remarks,
  };
}

function masked(text: string, secrets: readonly string[]): string {
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, '********'), text);
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function quoted(word: string): string {
  return /^[\w./=-]+$/.test(word) ? word : `'${word}'`;
}

interface TestOptions {
  readonly file: string;
  readonly asteriskDir: string;
  readonly json: boolean;
  readonly io: Io;
}

/** `sallyport phone test`: says of each thing that a call needs whether it is right, and what to mend. */
export async function phoneTest({ file, asteriskDir, json, io }: TestOptions): Promise<number> {
  const config = await loadConfig(file);
  const home = await findAsterisk(asteriskDir).catch((error: unknown) => {
    if (isSallyportError(error)) return error;
    throw error;
  });
  const checks = await checkPhone({
    phone: config.phone,
    home,
    daemonRuns: await answers(config.control.socket),
    sounds: everySound(),
  });
  const isGood = checks.every(({ state }) => state !== 'failed');
  if (json) io.stdout.write(`${JSON.stringify({ ok: isGood, checks }, null, 2)}\n`);
  else for (const check of checks) io.stdout.write(lineOf(check));
  return isGood ? 0 : 1;
}

function lineOf({ state, title, seen, fix }: Check): string {
  const word = { ok: 'ok', warning: 'WARNING', failed: 'FAILED', skipped: '-' }[state];
  return `${word.padEnd(8)} ${title}: ${seen}\n${fix === null ? '' : `         to mend: ${fix}\n`}`;
}

/** Whether somebody listens on the socket of the control API. */
function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    const end = (isThere: boolean) => {
      connection.destroy();
      resolve(isThere);
    };
    connection.setTimeout(DAEMON_PATIENCE_MS, () => end(false));
    connection.once('connect', () => end(true));
    connection.once('error', () => end(false));
  });
}
