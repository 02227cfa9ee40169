import { randomInt } from 'node:crypto';
import { loadCatalogue } from './config/catalogue.js';
import type { Config } from './config/config.js';
import { loadConfig, namedStateDirectory } from './config/load.js';
import { RESCUE_BOOTS, RESCUE_WITHIN } from './core/boots.js';
import { SallyportError } from './core/errors.js';
import type { GuardContents, GuardLayout } from './core/firewall.js';
import { givenBy } from './core/given.js';
import { HELD_FOR, HeldTargets } from './core/grants/held.js';
import { GrantLedger } from './core/grants/ledger.js';
import { holdDeparted, holdRecorded, restoreGrant } from './core/grants/restore.js';
import { compileSteps } from './core/knock/automaton.js';
import { keptEntries } from './core/names/name-entry.js';
import { type Catalogue, parseProviderNames } from './core/provider.js';
import type { GuardRules } from './core/rules.js';
import { type Duration, humanDuration, type Instant } from './core/time.js';
import { TABLE } from './firewall/names.js';
import { NftablesFirewall } from './firewall/nftables-firewall.js';
import { loadSavedGuard } from './firewall/saved-guard.js';
import { DesiredContents } from './gate/guard/desired-contents.js';
import { bootId, localPortRange } from './host/addresses.js';
import { SystemClock } from './host/clock.js';
import { checkPool, guardOf } from './layout.js';
import { NftablesLink } from './netlink/nftables-link.js';
import { noteThisBoot } from './rescue.js';
import { withStateDirectory } from './serve.js';
import { readStored, type Stored } from './stored.js';

const USUAL_STATE = '/var/lib/sallyport';

/**
 * `sallyport firewall restore`, the boot step: puts the guard up before the network is, without a daemon and without DNS,
 * with the last rules that lasted, what is left of the grants and the last known addresses of names. Closed is the answer to
 * every doubt: an unreadable configuration hinders nothing, an unreadable store leaves the guard without grants.
 * After starts in quick succession it leaves everything open, for whoever is locked out: the daemon puts the guard up a little
 * later.
 * @returns 0 where all was restored (or there was nothing to), 1 where only the guard was
 */
export async function restore(options: {
  file: string;
  stateDirectory: string | undefined;
  json: boolean;
}): Promise<number> {
  const clock = new SystemClock();
  const problems: string[] = [];
  const note = (error: unknown) => problems.push(error instanceof SallyportError ? error.toLine() : String(error));
  const config = await loadConfig(options.file).then((one) => withStateDirectory(one, options.stateDirectory), note);
  const readable = typeof config === 'object' ? config : undefined;
  if (readable?.firewall.driver === 'none') {
    return say(options.json, 'open', 'Nothing is closed, and no guard is put up: firewall.driver is none.', problems);
  }
  const named = options.stateDirectory ?? readable?.state.directory ?? (await namedStateDirectory(options.file));
  const directory = named ?? USUAL_STATE;
  const lasting = await lastingRules(readable, directory);
  if (lasting === undefined) throw new SallyportError('SP_NOTHING_TO_RESTORE');
  const { layout } = lasting;
  const shape = { layout, fallback: null };
  try {
    checkPool(layout);
  } catch (error) {
    note(error);
  }
  const state = await readStored(directory, (clock.now() - HELD_FOR) as Instant).catch((error) => void note(error));
  if (state !== undefined && state.meta.confirmed !== 'yes') {
    return say(options.json, 'open', 'The guard was never confirmed, so none is put up.', problems);
  }
  // Without netlink everything goes through nft, which takes longer where there are many grants, and does as well.
  const link = await NftablesLink.open({ table: TABLE }).catch(() => null);
  try {
    const firewall = new NftablesFirewall({ shape, clock, directory, link, onUnsaved: note });
    const found = await firewall.inspect(shape);
    if (found.table === 'intact' && found.arming?.kind === 'permanent') {
      return say(options.json, 'guarding', 'The guard is up already.', problems);
    }
    const wait =
      readable?.firewall.rescue === false ? undefined : await noteThisBoot({ directory, clock, onUnsaved: note });
    if (wait !== undefined) return sayWaiting(options.json, wait, problems);
    // Where the configuration cannot be read, providers are known by what comes along.
    const catalogue = await loadCatalogue(readable?.providers ?? { catalogue: null }).catch((error) => {
      note(error);
      return new Map();
    });
    const contents = contentsOf(lasting, catalogue, state, clock, await bootId());
    await firewall.load(contents, { kind: 'permanent' }, true);
  } finally {
    await link?.close();
  }
  return say(options.json, 'guarding', 'The guard is up.', problems);
}

interface Lasting {
  readonly layout: GuardLayout;
  readonly rules: Pick<GuardRules, 'entries' | 'names' | 'providers'>;
}

/**
 * The last rules that lasted, whatever the configuration asks for since: who wrote it may have shut himself out. Where none
 * were kept, those of the configuration; where that is unreadable, the guard that an older version has left.
 */
async function lastingRules(config: Config | undefined, directory: string): Promise<Lasting | undefined> {
  const { kept, older } = (await loadSavedGuard(directory)) ?? {};
  if (kept !== undefined && kept !== null) {
    const localPorts = (await localPortRange()) ?? kept.layout.localPorts;
    return { layout: { ...kept.layout, localPorts }, rules: kept.rules };
  }
  if (config !== undefined) {
    return await guardOf(config);
  }
  return older === undefined || older === null
    ? undefined
    : { layout: older, rules: { entries: [], names: [], providers: [] } };
}

function contentsOf(
  { layout, rules }: Lasting,
  catalogue: Catalogue,
  state: Stored | undefined,
  clock: SystemClock,
  boot: string | undefined,
): GuardContents {
  const given = givenBy(rules, catalogue, parseProviderNames(state?.meta.providers));
  const entries = [
    ...(state?.entries ?? []),
    ...given.entries,
    ...keptEntries([...(state?.names ?? []), ...given.names], state?.resolved ?? []),
  ];
  const { last_alive, boot_id } = state?.meta ?? {};
  const lapse = {
    isSameBoot: boot !== undefined && boot === boot_id,
    lastAlive: last_alive === undefined ? null : (Number(last_alive) as Instant),
    maxTtl: layout.maxTtl,
  };
  const ledger = new GrantLedger({ clock, random: randomInt, maxTtl: layout.maxTtl });
  const held = new HeldTargets();
  for (const record of state?.grants ?? []) {
    holdRecorded(held, record, clock);
    const grant = restoreGrant(record, [], lapse, clock);
    if (record.ended === null && grant.expires > clock.monotonic()) ledger.restore(grant);
  }
  holdDeparted(held, state?.meta ?? {}, clock);
  const { ipv6Prefix } = layout;
  const desired = new DesiredContents({
    ledger,
    held,
    ipv6Prefix,
    entries: () => entries,
    fallbackEntries: () => null,
  });
  return {
    shape: { layout, fallback: null },
    steps: compileSteps(state?.users ?? []),
    elements: desired.elements(),
    ranges: desired.ranges(),
  };
}

/** The daemon puts the guard up when the time is over; without one, the same command does, once it is over. */
function sayWaiting(json: boolean, wait: Duration, problems: readonly string[]): number {
  const starts = `The machine was started ${RESCUE_BOOTS} times within ${humanDuration(RESCUE_WITHIN)}`;
  process.stderr.write(
    `${starts}, so nothing is closed for ${humanDuration(wait)} (firewall.rescue). Close at once with: sallyport firewall apply\n`,
  );
  return say(json, 'waiting', 'The guard waits.', problems);
}

function say(json: boolean, state: 'open' | 'guarding' | 'waiting', text: string, problems: readonly string[]): number {
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.stdout.write(json ? `${JSON.stringify({ state, problems })}\n` : `${text}\n`);
  return problems.length === 0 ? 0 : 1;
}
