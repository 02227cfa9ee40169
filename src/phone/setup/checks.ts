import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { PhoneConfig } from '../../config/config.js';
import { SallyportError } from '../../core/errors.js';
import { MENU_CONTEXT, MENU_EXTENSION } from '../dialplan-names.js';
import { AUTHORIZE_EVENT } from '../user-events.js';
import { probeAmi } from './ami-probe.js';
import { probeAri } from './ari-probe.js';
import { type ConfTree, lastValue, readConfTree, readTextIfThere } from './conf-tree.js';
import { askConsole } from './console.js';
import { contextsOf, outsideWaysTo, placesOf } from './dialplan-facts.js';
import type { AsteriskHome } from './home.js';
import { USER_EVENT_FILTER } from './snippets.js';

/** One thing that has to be right for a call to work. */
export interface Check {
  readonly id: string;
  readonly title: string;
  /** `skipped`: it could not be seen from here, for a reason that is no fault. */
  readonly state: 'ok' | 'warning' | 'failed' | 'skipped';
  readonly seen: string;
  /** What to do; null where nothing is to be done. */
  readonly fix: string | null;
}

export interface CheckOptions {
  readonly phone: PhoneConfig;
  /** Asterisk's home, or why it was not found. */
  readonly home: AsteriskHome | SallyportError;
  /** Whether the daemon runs: only then the application can be registered. */
  readonly daemonRuns: boolean;
  /** Every sound that the menu may play, as Asterisk names it. */
  readonly sounds: readonly string[];
}

const INSTALL = 'sallyport phone install --reload';

/** Looks at everything that a call needs, in the order in which it is worth mending. Changes nothing, and never rejects. */
export async function checkPhone(options: CheckOptions): Promise<readonly Check[]> {
  const { phone, home } = options;
  const secret = await checkSecret(phone);
  const link = phone.driver === 'ari' ? checkAri : checkAmi;
  const linked = secret.value === undefined ? [] : await link(options, secret.value);
  if (home instanceof SallyportError) {
    return [secret.check, ...linked, failed('asterisk', 'Asterisk on this machine', home.message, home.fix)];
  }
  const events = phone.driver === 'ami' && phone.ami.userEvents ? [checkUserEvents(phone.ami, home)] : [];
  const rest = [...events, checkDialplan(phone, home), checkSounds(options, home), checkLogger(home)];
  return [secret.check, ...linked, ...(await Promise.all(rest)).flat()];
}

async function checkSecret(phone: PhoneConfig): Promise<{ check: Check; value?: string }> {
  const title = 'the secret of the link';
  const isAri = phone.driver === 'ari';
  const file = isAri ? phone.ari.passwordFile : phone.ami.secretFile;
  try {
    const value = (await readTextIfThere(file))?.replace(/\r?\n$/, '');
    if (value === undefined) return { check: failed('secret', title, `${file} is not there`, INSTALL) };
    if (value === '' || /[\r\n]/.test(value)) {
      return { check: failed('secret', title, `${file} is not one line`, `rm ${file}, then ${INSTALL}`) };
    }
    const others = (await stat(file)).mode & 0o077;
    if (others !== 0)
      return { check: failed('secret', title, `${file} is open to others`, `chmod 600 ${file}`), value };
    return { check: ok('secret', title, `${file}, readable by its owner alone`), value };
  } catch (error) {
    const seen = error instanceof SallyportError ? error.message : `${file} cannot be read`;
    return { check: failed('secret', title, seen, 'run this as root') };
  }
}

async function checkAri({ phone, daemonRuns }: CheckOptions, password: string): Promise<Check[]> {
  const { ari } = phone;
  const found = await probeAri(ari, password);
  const reach = 'ARI answers';
  if (found.unreachable !== null) {
    const fix = `see that Asterisk runs and has its HTTP server on (http.conf: enabled = yes); ${INSTALL}`;
    return [failed('reach', reach, `${ari.url}: ${found.unreachable}`, fix)];
  }
  if (!found.login) {
    return [
      ok('reach', reach, ari.url),
      failed(
        'login',
        'it takes our login',
        `it refuses ${ari.username}`,
        `${INSTALL}; ari.conf and the file of the password differ`,
      ),
    ];
  }
  return [
    ok('reach', reach, `${ari.url}, Asterisk ${found.version}`),
    ok('login', 'it takes our login', ari.username),
    found.writes
      ? ok('rights', 'our user may answer calls', 'read_only = no')
      : failed('rights', 'our user may answer calls', 'read_only = yes', `${INSTALL}; read_only has to be no`),
    appCheck(ari.app, found.app, daemonRuns),
  ];
}

function appCheck(app: string, isThere: boolean, daemonRuns: boolean): Check {
  const title = 'the gateway has its application there';
  if (isThere) return ok('app', title, app);
  if (!daemonRuns) {
    return { id: 'app', title, state: 'skipped', seen: 'the daemon does not run, or may not be asked', fix: null };
  }
  return failed('app', title, `${app} is not registered`, 'see sallyport status and the log of the daemon; restart it');
}

async function checkAmi({ phone }: CheckOptions, secret: string): Promise<Check[]> {
  const { ami } = phone;
  const found = await probeAmi(ami, secret);
  const where = `${ami.host}:${ami.port}`;
  if (found.unreachable !== null) {
    const fix = `see that Asterisk runs and has AMI on (manager.conf: enabled = yes); ${INSTALL}`;
    return [failed('reach', 'AMI answers', `${where}: ${found.unreachable}`, fix)];
  }
  const reach = ok('reach', 'AMI answers', `${where}, version ${found.version}`);
  const title = 'it takes our login';
  if (!found.login)
    return [
      reach,
      failed(
        'login',
        title,
        `it refuses ${ami.username}`,
        `${INSTALL}; manager.conf and the file of the secret differ`,
      ),
    ];
  const lacking = ['AGI', 'Originate'].filter((action) => !found.actions.includes(action));
  const extra = ['Command', 'UpdateConfig', 'Getvar'].filter((action) => found.actions.includes(action));
  const rights = 'our user may run the menu, and no more';
  return [
    reach,
    ok('login', title, ami.username),
    lacking.length > 0
      ? failed('rights', rights, `it may not: ${lacking.join(', ')}`, `${INSTALL}; write = agi,originate is needed`)
      : extra.length > 0
        ? warning(
            'rights',
            rights,
            `it may also: ${extra.join(', ')}`,
            'take the other classes out of read and write in manager.conf',
          )
        : ok('rights', rights, 'agi, originate'),
  ];
}

/** What AMI lets a user hear cannot be asked over AMI: what stands in the files has to do. */
async function checkUserEvents({ username }: PhoneConfig['ami'], home: AsteriskHome): Promise<Check> {
  const title = 'it hears the user events of the dialplan';
  const tree = await readConfTree(home.directory, 'manager.conf').catch(() => undefined);
  if (tree === undefined) return failed('user-events', title, 'manager.conf cannot be read', 'run this as root');
  const classes = lastValue(tree, username, 'read') ?? '';
  if (!/(^|,)\s*(user|all)\s*(,|$)/.test(classes))
    return failed('user-events', title, `${username} has no class user in read`, `${INSTALL}; read = agi,call,user`);
  const filters = tree.settings.filter(({ section, key }) => section === username && key.startsWith('eventfilter'));
  if (filters.length > 0 && !filters.some(({ value }) => value.includes(AUTHORIZE_EVENT)))
    return failed('user-events', title, 'no eventfilter lets them through', `${INSTALL}; ${USER_EVENT_FILTER}`);
  return ok('user-events', title, AUTHORIZE_EVENT);
}

async function checkDialplan(phone: PhoneConfig, home: AsteriskHome): Promise<Check[]> {
  const title = `extension ${phone.extension} leads to the menu`;
  const tree = await readConfTree(home.directory, 'extensions.conf').catch(() => undefined);
  if (tree === undefined) return [failed('extension', title, 'extensions.conf cannot be read', 'run this as root')];
  if (tree.missing.length > 0) {
    return [
      failed(
        'extension',
        title,
        `an include at ${tree.missing[0]} leads nowhere: Asterisk refuses the file`,
        'mend it',
      ),
    ];
  }
  const doors = placesOf(tree, new Set(contextsOf(tree)), phone.extension).filter(({ value }) => leadsHere(value));
  if (doors.length === 0) return [failed('extension', title, 'it is in no context', INSTALL)];
  const contexts = [...new Set(doors.map(({ section }) => section))];
  return [await loaded(home, title, contexts), outside(tree, contexts)];
}

/** What Asterisk has loaded is what counts; where it cannot be asked, the files have to do. */
async function loaded(home: AsteriskHome, title: string, contexts: readonly string[]): Promise<Check> {
  const seen = `in [${contexts.join('], [')}]`;
  const menu = await askConsole(home.directory, `dialplan show ${MENU_EXTENSION}@${MENU_CONTEXT}`);
  if (!menu.ok) return ok('extension', title, `${seen}, by the files (Asterisk's console: ${menu.problem})`);
  if (/^There is no existence/m.test(menu.text)) {
    return failed('extension', title, 'it is in the files, but Asterisk has not loaded it', INSTALL);
  }
  return ok('extension', title, `${seen}, loaded`);
}

function outside(tree: ConfTree, contexts: readonly string[]): Check {
  const title = 'nobody outside reaches it';
  const ways = [...new Set(contexts.flatMap((context) => outsideWaysTo(tree, context)))];
  if (ways.length === 0) return ok('outside', title, 'no context of trunks includes it, by their names');
  return warning('outside', title, `[${ways.join('], [')}] includes it`, 'take that include out of the dialplan');
}

function leadsHere(value: string): boolean {
  return value.replace(/\s/g, '').includes(`Goto(${MENU_CONTEXT},${MENU_EXTENSION},1)`);
}

async function checkSounds({ phone, sounds }: CheckOptions, home: AsteriskHome): Promise<Check> {
  const title = 'the sounds are there';
  const folder = join(home.data, 'sounds', phone.language);
  const there = new Map<string, Set<string>>();
  const lacking: string[] = [];
  for (const sound of sounds) {
    const at = sound.lastIndexOf('/');
    const [below, name] = [sound.slice(0, Math.max(at, 0)), sound.slice(at + 1)];
    const known = there.get(below) ?? (await namesIn(join(folder, below)));
    there.set(below, known);
    if (!known.has(name)) lacking.push(sound);
  }
  if (lacking.length === 0) return ok('sounds', title, `${sounds.length} below ${folder}`);
  const named = lacking.slice(0, 5).join(', ') + (lacking.length > 5 ? ', …' : '');
  const own = lacking.some((sound) => sound.startsWith('sallyport/'));
  const core = lacking.some((sound) => !sound.startsWith('sallyport/'));
  const fix = [
    ...(own
      ? [phone.language === 'en' ? INSTALL : `record them below ${folder}/sallyport, or set phone.language to en`]
      : []),
    ...(core ? [`install Asterisk's core sounds for ${phone.language} (Debian: asterisk-core-sounds-en)`] : []),
  ].join('; ');
  return failed('sounds', title, `${lacking.length} are missing below ${folder}: ${named}`, fix);
}

async function namesIn(folder: string): Promise<Set<string>> {
  const names = await readdir(folder).catch(() => []);
  return new Set(names.map((name) => name.replace(/\.[^.]*$/, '')));
}

/** The level `dtmf`, or all of them, writes every digit, PINs among them. */
async function checkLogger(home: AsteriskHome): Promise<Check> {
  const title = "no digits in Asterisk's log";
  const tree = await readConfTree(home.directory, 'logger.conf').catch(() => undefined);
  if (tree === undefined) return failed('logger', title, 'logger.conf cannot be read', 'run this as root');
  const channel = tree.settings.find(
    ({ section, value }) => section === 'logfiles' && /(^|[\s,\]])(dtmf|\*)(\s*(\(|,|$))/i.test(value),
  );
  if (channel === undefined) return ok('logger', title, 'no channel of logger.conf has dtmf');
  const place = `${channel.file}:${channel.line}`;
  return failed(
    'logger',
    title,
    `${place}: ${channel.key} takes dtmf`,
    'take dtmf out there, then: asterisk -rx "logger reload"',
  );
}

function ok(id: string, title: string, seen: string): Check {
  return { id, title, state: 'ok', seen, fix: null };
}

function warning(id: string, title: string, seen: string, fix: string): Check {
  return { id, title, state: 'warning', seen, fix };
}

function failed(id: string, title: string, seen: string, fix: string): Check {
  return { id, title, state: 'failed', seen, fix };
}
