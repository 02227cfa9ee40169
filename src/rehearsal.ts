import { randomInt } from 'node:crypto';
import { setImmediate as breathe } from 'node:timers/promises';
import { type Address, parseAddress } from './core/address.js';
import type { GuardLayout } from './core/firewall.js';
import { HeldTargets } from './core/grants/held.js';
import { GrantLedger } from './core/grants/ledger.js';
import { finalState } from './core/knock/automaton.js';
import { EVERYTHING } from './core/service.js';
import type { Store } from './core/store.js';
import { type Clock, type Instant, minutes } from './core/time.js';
import { parseUserName, type User } from './core/user.js';
import { NftablesFirewall } from './firewall/nftables-firewall.js';
import { Doorkeeper } from './gate/doorkeeper.js';
import type { Log } from './gate/log.js';
import { People } from './gate/people.js';
import { Recorder } from './gate/recorder.js';
import { KernelKnockSource } from './knock/kernel-source.js';
import type { NftablesLink } from './netlink/nftables-link.js';

/** What is needed of netlink. */
type Rehearsing = Pick<NftablesLink, 'rehearse'>;

/** So often that the engine has compiled what it interprets at first. */
const TIMES = 600;
const SEQUENCE_ID = 1;
/** For documentation (RFC 5737). */
const SOURCE = parseAddress('192.0.2.1');

const NOBODY: User = {
  id: 1,
  name: parseUserName('rehearsal'),
  services: EVERYTHING,
  ttl: null,
  maxAddresses: 1,
  sequenceId: SEQUENCE_ID,
  sequence: [],
  account: null,
  pinHash: null,
  createdAt: 0 as Instant,
};

const SILENT: Log = { error: ignore, warn: ignore, info: ignore, debug: ignore };
const NO_STORE: Store = {
  load: async () => ({ users: [], entries: [], grants: [], meta: {} }),
  write: async () => undefined,
  readJournal: async () => [],
  prune: async () => 0,
};

/**
 * Plays a knock, from the doorbell to the writing thread, through parts of its own that open and record nothing. A knock
 * is rare, so its code would be interpreted, cold, for the first hundred of them: several times slower.
 */
export async function rehearse(options: { link: Rehearsing; layout: GuardLayout; clock: Clock }): Promise<void> {
  const { link, layout, clock } = options;
  const maxTtl = layout.maxTtl;
  const people = new People({
    services: new Map(),
    pool: layout.pool,
    maxTtl,
    random: randomInt,
    clock,
    users: [NOBODY],
    lastId: 1,
  });
  const ledger = new GrantLedger({ clock, random: randomInt, maxTtl });
  const firewall = new NftablesFirewall({
    layout,
    clock,
    directory: '',
    link: { transact: (operations) => link.rehearse(operations), dump: async () => [] },
  });
  const recorder = new Recorder({ store: NO_STORE, log: SILENT });
  const doorkeeper = new Doorkeeper({
    ledger,
    held: new HeldTargets(),
    people,
    recorder,
    door: { change: (change) => firewall.change(change), setRanges: async () => undefined, proven: ignore },
    clock,
    log: SILENT,
    defaultTtl: minutes(1),
    ipv6Prefix: layout.ipv6Prefix,
    entries: () => [],
    ownAddresses: () => new Set<Address>(),
    clearStrikes: async () => [],
  });
  const source = new KernelKnockSource({
    readMailbox: async () => [],
    hasDoorbell: true,
    strikes: null,
    onProblem: ignore,
  });
  let answered: Promise<void> = Promise.resolve();
  await source.start({
    onKnocks: (knocks) => {
      answered = doorkeeper.knocks(knocks);
      return answered;
    },
    onStruck: ignore,
  });
  for (let n = 0; n < TIMES; n++) {
    source.ring([
      {
        family: 4,
        source: SOURCE,
        protocol: 'udp',
        destinationPort: layout.pool.first,
        mark: finalState(SEQUENCE_ID),
        payload: new Uint8Array(),
      },
    ]);
    await answered;
    for (const grant of [...ledger.all()]) ledger.end(grant.id);
    await breathe();
  }
  doorkeeper.stop();
  await source.stop();
}

function ignore(): void {}
