import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Io } from './cli/index.js';
import type { Config } from './config/config.js';
import { type DefaultOptions, defaultConfig } from './config/defaults.js';
import { loadConfig } from './config/load.js';
import { printConfig } from './config/print.js';
import type { UserCard } from './control/contract/gateway.js';
import { SallyportError } from './core/errors.js';
import { inSpan } from './core/ports.js';
import type { Instant } from './core/time.js';
import { parseUserName } from './core/user.js';
import { People } from './gate/people.js';
import { viewCard } from './gate/views.js';
import { SystemClock } from './host/clock.js';
import { foreignFirewalls } from './host/foreign-firewalls.js';
import { asteriskPresent, exposedServices, type Listener, listeners } from './host/listeners.js';
import { type SshPeer, sshPeers } from './host/ssh-peers.js';
import { sshdPorts } from './host/sshd-ports.js';
import { heardProtocols } from './layout.js';
import { serve } from './serve.js';
import { setupChanges } from './setup-entries.js';
import { SqliteStore } from './store/sqlite-store.js';

interface InitOptions {
  readonly file: string;
  readonly stateDirectory: string | undefined;
  readonly yes: boolean;
  readonly json: boolean;
  readonly user: string | undefined;
  /** Close everything; asked where it is left out and somebody is there. */
  readonly lockdown: boolean;
  readonly io: Io;
}

type Policy = Config['firewall']['policy'];

/** What lockdown means, in a sentence. */
const LOCKDOWN =
  'Lockdown closes every port to strangers, not only the services above: who knocks or is on the whitelist gets in, nobody else gets an answer.';
const MOST_OTHERS = 8;

/** What was seen of the host, and what follows from it. */
interface Findings {
  readonly defaults: DefaultOptions;
  readonly remarks: readonly string[];
  readonly peers: readonly SshPeer[];
  /** Ports that strangers reach now, and no service has: lockdown closes them, too. */
  readonly others: readonly string[];
}

/**
 * `sallyport init`: looks at the host, writes a configuration that fits it, and makes the first user. Asks on a terminal
 * unless told not to.
 */
export async function init(options: InitOptions): Promise<number> {
  if (existsSync(options.file)) throw new SallyportError('SP_CONFIG_EXISTS', { file: options.file });
  const user = options.user === undefined ? undefined : parseUserName(options.user);
  const { remarks, peers, ...found } = await lookAround(
    options.stateDirectory === undefined ? undefined : resolve(options.stateDirectory),
  );
  if (!options.json) for (const remark of remarks) options.io.stdout.write(`  ${remark}\n`);
  const policy = await policyOf(options, found.others);
  if (policy === undefined) return 1;
  const config = defaultConfig({ ...found.defaults, policy });
  await writeConfig(options.file, config);
  const card = await firstUser(config, user, peers);
  if (options.json) {
    options.io.stdout.write(`${JSON.stringify({ config: options.file, policy, user: card, remarks })}\n`);
    return 0;
  }
  options.io.stdout.write(`\nWrote ${options.file}.\n\n`);
  if (card !== undefined) options.io.stdout.write(await options.io.renderCard(card));
  options.io.stdout.write('\nStart the gateway with: sallyport serve\n');
  return 0;
}

/**
 * `npm start`: makes a configuration and a first user where there are none, prints the card, and serves in the foreground.
 */
export async function startFromScratch(options: { argv: readonly string[]; file: string; io: Io }): Promise<number> {
  const { io, file } = options;
  try {
    if (!existsSync(file)) {
      io.stdout.write('No configuration yet. Looking at this machine:\n');
      const { defaults, remarks } = await lookAround(undefined);
      for (const remark of remarks) io.stdout.write(`  ${remark}\n`);
      await writeConfig(file, defaultConfig(defaults));
      io.stdout.write(`Wrote ${file}; change it as you like and start again.\n\n`);
    }
    const card = await firstUser(await loadConfig(file), undefined, []);
    if (card !== undefined) io.stdout.write(`${await io.renderCard(card)}\n`);
    return await serve({ file, stateDirectory: undefined });
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    io.stderr.write(`${error.toLine()}\n`);
    return 1;
  }
}

async function lookAround(stateDirectory: string | undefined): Promise<Findings> {
  const [ports, peers, found, hasAsterisk, others] = await Promise.all([
    sshdPorts(),
    sshPeers(),
    listeners(),
    asteriskPresent(),
    foreignFirewalls(),
  ]);
  const exposed = exposedServices(found);
  const sip = hasAsterisk || exposed.sip.length > 0;
  const web = exposed.web.length > 0;
  const defaults: DefaultOptions = {
    sshPorts: ports.map(({ port }) => port),
    sip,
    web,
    ...(stateDirectory === undefined ? {} : { stateDirectory }),
  };
  const { knock, services } = defaultConfig(defaults);
  const reachable = found.filter(({ loopback }) => !loopback);
  const isServed = (one: Listener) =>
    [...services.values()].some((own) =>
      own.some((range) => range.protocol === one.protocol && inSpan(one.port, range)),
    );
  const unserved = reachable.filter((one) => !isServed(one)).map(({ protocol, port }) => `${protocol}/${port}`);
  const list = ports.map(({ port }) => port).join(', ');
  const remarks = [
    `SSH listens on port ${list} (${ports[0]?.from}): guarded`,
    ...(sip ? ['Telephony (SIP, RTP) is here: guarded'] : []),
    ...(web ? ['A web server is here: guarded'] : []),
    ...peers.map(
      ({ address, user }) =>
        `${address} is logged in over SSH${user === null ? '' : ` as ${user}`}: stays in until removed`,
    ),
    ...reachable
      .filter(({ port }) => inSpan(port, knock.pool))
      .map(
        ({ protocol, port }) =>
          `${protocol}/${port} lies in the pool of knock ports: nobody will reach it; see knock.pool`,
      ),
    ...others.map(
      ({ name, remark }) => `another packet filter is active: ${name} (${remark}); what it drops stays dropped`,
    ),
  ];
  return { defaults, remarks, peers, others: [...new Set(unserved)] };
}

/** Whether to write it, and what to close: what the options say, else what is answered; undefined for a no. */
async function policyOf(options: InitOptions, others: readonly string[]): Promise<Policy | undefined> {
  const given = options.lockdown ? 'lockdown' : undefined;
  if (options.yes) return given ?? 'guard';
  const { io, file } = options;
  if (io.stdin.isTTY !== true || io.stdout.isTTY !== true) {
    throw new SallyportError('SP_USAGE', { problem: 'nobody is there to be asked; give --yes to agree to everything' });
  }
  const policy = given ?? (await askPolicy(io, others));
  const { confirm, isCancel } = await import('@clack/prompts');
  const answer = policy !== undefined && (await confirm({ message: `Write ${file} and make the first user?` }));
  return isCancel(answer) || !answer ? undefined : policy;
}

async function askPolicy(io: Io, others: readonly string[]): Promise<Policy | undefined> {
  const { confirm, isCancel } = await import('@clack/prompts');
  const more = others.length > MOST_OTHERS ? [`${others.length - MOST_OTHERS} more`] : [];
  const open = [...others.slice(0, MOST_OTHERS), ...more].join(', ');
  io.stdout.write(`  ${LOCKDOWN}${open === '' ? '' : ` Here that would also close ${open}.`}\n`);
  const answer = await confirm({ message: 'Lock everything down?', initialValue: false });
  if (isCancel(answer)) return undefined;
  return answer ? 'lockdown' : 'guard';
}

/** Readable by its owner alone, and never over a file that is there. */
async function writeConfig(file: string, config: Config): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    const handle = await open(file, 'wx', 0o600);
    await handle.writeFile(printConfig(config));
    await handle.sync();
    await handle.close();
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new SallyportError('SP_CONFIG_UNWRITABLE', { file, reason }, error);
  }
}

/**
 * Makes a user where there is none yet, and lets in who is logged in over SSH, until removed: whatever happens before the
 * gateway first runs. Gives the card to print, or undefined.
 */
async function firstUser(
  config: Config,
  name: string | undefined,
  peers: readonly SshPeer[],
): Promise<UserCard | undefined> {
  const clock = new SystemClock();
  const store = new SqliteStore({ directory: config.state.directory, onFailed: () => undefined });
  await store.open();
  try {
    const { users, entries, meta } = await store.load(clock.now());
    const letIn = setupChanges(peers, entries, clock.now());
    if (letIn.length > 0) await store.write(letIn);
    if (users.length > 0) return undefined;
    const people = new People({
      services: () => config.services,
      pool: config.knock.pool,
      protocols: heardProtocols(config),
      maxTtl: config.grants.maxTtl,
      random: randomInt,
      clock,
      users,
      lastId: Number(meta.last_id ?? 0),
    });
    const { user, changes } = await people.planNew(name ?? usualName(), {});
    const event = {
      at: clock.now() as Instant,
      event: 'user.added',
      user: user.name,
      detail: 'the first user',
    } as const;
    await store.write([...changes, { kind: 'journal', event }]);
    return viewCard(user, config);
  } finally {
    await store.close();
  }
}

/** Whoever called sudo, or `admin`. */
function usualName(): string {
  const name = process.env.SUDO_USER;
  return name !== undefined && /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/.test(name) && name !== 'root' ? name : 'admin';
}
