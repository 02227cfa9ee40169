import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PhoneConfig } from '../../config/config.js';
import { SallyportError } from '../../core/errors.js';
import { MENU_CONTEXT, RING_CONTEXT } from '../dialplan-names.js';
import { isLoopback } from '../loopback.js';
import { type ConfTree, isTrue, lastValue, readConfTree, readTextIfThere } from './conf-tree.js';
import { contextsOf, outsideWaysTo, placesOf, reachableFrom } from './dialplan-facts.js';
import type { AsteriskHome } from './home.js';
import { withInclude } from './include-line.js';
import { type SecretFile, secretIn } from './secret.js';
import { amiText, ariText, dialplanText, enableText, HEAD, OWN_FOLDER } from './snippets.js';

/** One file as it is to be. Files are listed in the order in which they have to be written. */
export interface FileChange {
  readonly path: string;
  /** Undefined where only the rights change. */
  readonly content: Buffer | undefined;
  readonly isNew: boolean;
  /** The lines of text that are new, to be shown; the rest of a file may hold the secrets of others. Null for what is no text. */
  readonly added: string | null;
  /** What a new file gets, and one whose rights are too wide; any other keeps what it has. */
  readonly rights: { readonly mode: number; readonly group: number | null } | null;
}

export interface InstallPlan {
  readonly home: AsteriskHome;
  readonly context: string;
  readonly changes: readonly FileChange[];
  /** To be hidden wherever a file is shown. */
  readonly secrets: readonly string[];
  readonly remarks: readonly string[];
}

export interface PlanOptions {
  readonly phone: PhoneConfig;
  readonly home: AsteriskHome;
  /** The context from which phones dial, where it was named. */
  readonly context: string | undefined;
  /** The folder of our recordings. */
  readonly recordings: string;
}

/**
 * What has to be written so that the extension reaches the menu: nothing where all is in place.
 * @throws SP_PHONE_CONTEXT, SP_PHONE_TAKEN, SP_PHONE_FILE, SP_PHONE_SECRET, SP_PHONE_REMOTE
 */
export async function planInstall({ phone, home, context: named, recordings }: PlanOptions): Promise<InstallPlan> {
  for (const [key, host] of hostsOf(phone)) {
    if (!isLoopback(host)) throw new SallyportError('SP_PHONE_REMOTE', { key, host });
  }
  const names = ['extensions.conf', 'ari.conf', 'manager.conf', 'http.conf'] as const;
  const [dialplan, ari, manager, http] = await Promise.all(names.map((name) => foreign(home, name)));
  if (!dialplan || !ari || !manager || !http) throw new Error('unreachable');
  const context = named ?? (await contextInUse(home)) ?? usualContext(dialplan, home);
  refuseUnknown(dialplan, context, home);
  refuseTaken({ phone, home, context, dialplan, ari, manager });

  const ariSecret = await secretIn(phone.ari.passwordFile);
  const amiSecret = await secretIn(phone.ami.secretFile);
  const usesAri = phone.driver === 'ari';
  const ariPort = Number(new URL(phone.ari.url).port || 80);
  const on = (tree: ConfTree, key: 'bindport' | 'port', port: number) => enableText(port, key, !hasGeneral(tree));
  const own = [
    { name: 'extensions.conf', text: dialplanText({ phone, context }) },
    {
      name: 'ari.conf',
      text:
        ariText(phone.ari, ariSecret.secret) +
        (usesAri && !isTrue(lastValue(ari, 'general', 'enabled') ?? 'yes') ? '\n[general](+)\nenabled = yes\n' : ''),
    },
    {
      name: 'manager.conf',
      text:
        (!usesAri && !isTrue(lastValue(manager, 'general', 'enabled'))
          ? `${on(manager, 'port', phone.ami.port)}\n`
          : '') + amiText(phone.ami, amiSecret.secret),
    },
    ...(usesAri && !isTrue(lastValue(http, 'general', 'enabled'))
      ? [{ name: 'http.conf', text: on(http, 'bindport', ariPort) }]
      : []),
  ];
  const changes = [
    ...secretChanges([ariSecret, amiSecret]),
    ...(await recordingChanges(recordings, join(home.data, 'sounds', 'en', 'sallyport'))),
  ];
  for (const { name, text } of own) changes.push(...(await ownFileChanges(home, name, `${HEAD}\n${text}`)));
  for (const { name } of own) changes.push(...(await includeChanges(home, name)));
  return {
    home,
    context,
    changes,
    secrets: [ariSecret.secret, amiSecret.secret],
    remarks: remarksOn({ phone, context, dialplan, manager, http, ariPort }),
  };
}

/** A configuration file of Asterisk with all its includes but ours. */
async function foreign(home: AsteriskHome, name: string): Promise<ConfTree> {
  const tree = await readConfTree(home.directory, name);
  const own = join(home.directory, OWN_FOLDER, '/');
  const isForeign = ({ file }: { file: string }) => !file.startsWith(own);
  return { ...tree, sections: tree.sections.filter(isForeign), settings: tree.settings.filter(isForeign) };
}

/** The context that an earlier run put the extension into. */
async function contextInUse(home: AsteriskHome): Promise<string | undefined> {
  const tree = await readConfTree(home.directory, `${OWN_FOLDER}/extensions.conf`);
  return tree.sections.find(({ name }) => name !== MENU_CONTEXT && name !== RING_CONTEXT)?.name;
}

function usualContext(dialplan: ConfTree, { kind }: AsteriskHome): string {
  if (kind === 'freepbx') return 'from-internal-custom';
  const known = contextsOf(dialplan);
  const usual = known.filter((name) => /^(from-)?(internal|phones)$/.test(name));
  if (usual.length === 1 && usual[0] !== undefined) return usual[0];
  const problem = 'it cannot be told from which context your phones dial';
  throw new SallyportError('SP_PHONE_CONTEXT', { problem, known: list(known) });
}

/** FreePBX includes its custom context whether somebody has written one or not. */
function refuseUnknown(dialplan: ConfTree, context: string, { kind }: AsteriskHome): void {
  const known = contextsOf(dialplan);
  if (![MENU_CONTEXT, RING_CONTEXT].includes(context) && (known.includes(context) || kind === 'freepbx')) return;
  throw new SallyportError('SP_PHONE_CONTEXT', { problem: `there is no context ${context}`, known: list(known) });
}

interface Found {
  readonly phone: PhoneConfig;
  readonly home: AsteriskHome;
  readonly context: string;
  readonly dialplan: ConfTree;
  readonly ari: ConfTree;
  readonly manager: ConfTree;
}

function refuseTaken({ phone, home, context, dialplan, ari, manager }: Found): void {
  const doors = new Set([
    ...reachableFrom(dialplan, context),
    ...(home.kind === 'freepbx' ? reachableFrom(dialplan, 'from-internal') : []),
  ]);
  const [place] = placesOf(dialplan, doors, phone.extension);
  if (place) throw taken(`extension ${phone.extension}`, place, 'phone.extension');
  const own = dialplan.sections.find(({ name }) => name === MENU_CONTEXT || name === RING_CONTEXT);
  if (own) throw taken(`context ${own.name}`, own, 'another name there');
  const ariUser = ari.sections.find(({ name }) => name === phone.ari.username);
  if (ariUser) throw taken(`ARI user ${phone.ari.username}`, ariUser, 'phone.ari.username');
  const amiUser = manager.sections.find(({ name }) => name === phone.ami.username);
  if (amiUser) throw taken(`AMI user ${phone.ami.username}`, amiUser, 'phone.ami.username');
}

function taken(what: string, { file, line }: { file: string; line: number }, key: string): SallyportError {
  return new SallyportError('SP_PHONE_TAKEN', { what, where: `${file}:${line}`, key });
}

function secretChanges(files: readonly SecretFile[]): FileChange[] {
  return files
    .filter(({ isNew, isTooOpen }) => isNew || isTooOpen)
    .map(({ file, secret, isNew }) => ({
      path: file,
      content: isNew ? Buffer.from(`${secret}\n`) : undefined,
      isNew,
      added: isNew ? secret : null,
      rights: { mode: 0o600, group: null },
    }));
}

/** Recordings that are not there yet. One that differs is the administrator's own and stays. */
async function recordingChanges(from: string, to: string): Promise<FileChange[]> {
  const there = new Set((await readdir(to).catch(() => [])).map((name) => name.replace(/\.[^.]*$/, '')));
  const names = (await readdir(from)).filter((name) => name.endsWith('.wav')).sort();
  const lacking = names.filter((name) => !there.has(name.replace(/\.wav$/, '')));
  return await Promise.all(
    lacking.map(async (name) => ({
      path: join(to, name),
      content: await readFile(join(from, name)),
      isNew: true,
      added: null,
      rights: { mode: 0o644, group: null },
    })),
  );
}

async function ownFileChanges(home: AsteriskHome, name: string, text: string): Promise<FileChange[]> {
  const path = join(home.directory, OWN_FOLDER, name);
  const now = await readTextIfThere(path);
  if (now === text) return [];
  const rights = { mode: 0o640, group: home.group };
  return [{ path, content: Buffer.from(text, 'latin1'), isNew: now === undefined, added: text, rights }];
}

async function includeChanges(home: AsteriskHome, name: string): Promise<FileChange[]> {
  const path = join(home.directory, await hostOf(home, name));
  const now = await readTextIfThere(path);
  const text = withInclude(now ?? '', name, path);
  if (now === text) return [];
  const rights = now === undefined ? { mode: 0o640, group: home.group } : null;
  const before = new Set(now?.split(/\r?\n/));
  const added = text.split(/\r?\n/).filter((line) => !before.has(line));
  return [{ path, content: Buffer.from(text, 'latin1'), isNew: now === undefined, added: added.join('\n'), rights }];
}

/** The file that may hold our include: on FreePBX the custom one, if the main file includes it. */
async function hostOf(home: AsteriskHome, name: string): Promise<string> {
  if (home.kind === 'plain') return name;
  const custom = {
    'extensions.conf': 'extensions_custom.conf',
    'ari.conf': 'ari_additional_custom.conf',
    'manager.conf': 'manager_custom.conf',
    'http.conf': 'http_custom.conf',
  }[name];
  const main = await readConfTree(home.directory, name);
  if (custom !== undefined && main.mentions.includes(join(home.directory, custom))) return custom;
  throw new SallyportError('SP_PHONE_FILE', {
    file: join(home.directory, name),
    problem: `it does not include ${custom}, the only file that FreePBX leaves to others`,
  });
}

interface Seen {
  readonly phone: PhoneConfig;
  readonly context: string;
  readonly dialplan: ConfTree;
  readonly manager: ConfTree;
  readonly http: ConfTree;
  readonly ariPort: number;
}

function remarksOn({ phone, context, dialplan, manager, http, ariPort }: Seen): string[] {
  const httpPort = lastValue(http, 'general', 'bindport') ?? '8088';
  const amiPort = lastValue(manager, 'general', 'port') ?? '5038';
  const httpOn = isTrue(lastValue(http, 'general', 'enabled'));
  const amiOn = isTrue(lastValue(manager, 'general', 'enabled'));
  const bound = (tree: ConfTree) => lastValue(tree, 'general', 'bindaddr') ?? '0.0.0.0';
  return [
    ...outsideWaysTo(dialplan, context).map(
      (name) => `[${name}] includes [${context}]: whoever calls from outside reaches the menu; take that include out`,
    ),
    ...(httpOn && Number(httpPort) !== ariPort
      ? [`Asterisk's HTTP server has port ${httpPort}, and phone.ari.url says ${ariPort}: write one of them anew`]
      : []),
    ...(httpOn && !isLoopback(bound(http))
      ? [`Asterisk's HTTP server listens on ${bound(http)}: others reach it; 127.0.0.1 is enough for us`]
      : []),
    ...(phone.driver === 'ami' && amiOn && Number(amiPort) !== phone.ami.port
      ? [`AMI has port ${amiPort}, and phone.ami.port says ${phone.ami.port}: write one of them anew`]
      : []),
    ...(amiOn && !isLoopback(bound(manager))
      ? [`AMI listens on ${bound(manager)}: others reach it; 127.0.0.1 is enough for us`]
      : []),
  ];
}

function hostsOf({ ari, ami }: PhoneConfig): [key: string, host: string][] {
  return [
    ['phone.ari.url', new URL(ari.url).hostname.replace(/^\[|\]$/g, '')],
    ['phone.ami.host', ami.host],
  ];
}

function hasGeneral(tree: ConfTree): boolean {
  return tree.sections.some(({ name }) => name === 'general');
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.slice(0, 12).join(', ') + (names.length > 12 ? ', …' : '');
}
