import { type Address, parseAddress, type Target } from '../../src/core/address.ts';
import { Claims } from '../../src/core/claims.ts';
import type { Entry } from '../../src/core/entry.ts';
import type { Completion, GuardLayout, SetElement } from '../../src/core/firewall.ts';
import { HeldTargets } from '../../src/core/grants/held.ts';
import { GrantLedger } from '../../src/core/grants/ledger.ts';
import { compileSteps, finalState } from '../../src/core/knock/automaton.ts';
import type { CompletedKnock } from '../../src/core/knock/source.ts';
import { parsePortRange } from '../../src/core/ports.ts';
import { entriesOf, type GuardRules, withRules } from '../../src/core/rules.ts';
import { parseSequence } from '../../src/core/sequence.ts';
import { type Duration, hours, type Instant, type Monotonic, minutes, seconds } from '../../src/core/time.ts';
import { parseUserName, type User } from '../../src/core/user.ts';
import { ClaimDesk } from '../../src/gate/claim-desk.ts';
import { Doorkeeper } from '../../src/gate/doorkeeper.ts';
import { DesiredContents } from '../../src/gate/guard/desired-contents.ts';
import { Guard } from '../../src/gate/guard/guard.ts';
import { RuleBook } from '../../src/gate/guard/rule-book.ts';
import { People } from '../../src/gate/people.ts';
import { Recorder } from '../../src/gate/recorder.ts';
import { seededRandom, service, span } from './core-arbitraries.ts';
import { stopTime } from './fake-clock.ts';
import { FakeFirewall, FakeLog, FakeStore } from './gate-fakes.ts';
import { SSH } from './grants.ts';

export const LAPTOP = parseAddress('203.0.113.7');
export const PHONE = parseAddress('203.0.113.8');
export const OWN = parseAddress('198.51.100.1');

const SERVICES = new Map([
  [service('db'), [parsePortRange('tcp/5432')]],
  [service('ssh'), [parsePortRange('tcp/22')]],
  [service('web'), [parsePortRange('tcp/443')]],
]);

/** `db` is not closed. */
export const RULES: GuardRules = {
  policy: 'guard',
  guarded: new Map([...SERVICES].filter(([name]) => name !== 'db')),
  onExpiry: 'cut',
  trustedInterfaces: [],
  forwardFrom: [],
  openPorts: [],
  services: SERVICES,
  entries: [],
  names: [],
  providers: [],
};

export const LAYOUT: GuardLayout = withRules(
  {
    pool: span(21000, 29999),
    knocks: 'kernel',
    strikes: null,
    window: seconds(10),
    nflogGroup: 864,
    maxTtl: hours(12),
    ipv6Prefix: 128,
    localPorts: span(32768, 60999),
  },
  RULES,
);

/** Three ports that nobody else has, and which are found again in any text that tells them. */
const sequenceOf = (n: number) => parseSequence(`tcp/2${n}111,udp/2${n}333,tcp/2${n}555`);

export function person(n: number, name: string, change: Partial<User> = {}): User {
  return {
    id: n,
    name: parseUserName(name),
    services: SSH,
    ttl: null,
    maxAddresses: 5,
    sequenceId: 10 + n,
    sequence: sequenceOf(n),
    account: null,
    pinHash: null,
    approval: 'none',
    number: null,
    createdAt: 0 as Instant,
    ...change,
  };
}

export const ANNA = person(1, 'anna');
export const BEN = person(2, 'ben');

/** The knock of a user, as it lies in the mailbox. */
export function knockOf(user: User, source: Address = LAPTOP): CompletedKnock & { completion: Completion } {
  const completion = { source, state: finalState(user.sequenceId) };
  return { source, sequenceId: user.sequenceId, payload: new Uint8Array(), completion, early: null };
}

export interface RigOptions {
  readonly users?: readonly User[];
  readonly isConfirmed?: boolean;
  readonly ipv6Prefix?: 64 | 128;
  readonly hasPhone?: boolean;
  readonly onLoaded?: () => Promise<void>;
  readonly wait?: Duration;
  readonly rules?: GuardRules;
  /** The last rules that lasted, where others are tried at the start. */
  readonly previous?: GuardRules | null;
}

/** The gate over a kernel and a store that are not there, with time standing still. */
export function gateRig({
  users = [ANNA, BEN],
  isConfirmed = true,
  ipv6Prefix = 128,
  hasPhone = true,
  onLoaded,
  wait,
  rules = RULES,
  previous = null,
}: RigOptions = {}) {
  const clock = stopTime();
  const log = new FakeLog();
  const store = new FakeStore();
  const firewall = new FakeFirewall(clock);
  const recorder = new Recorder({ store, log });
  const entries: Entry[] = [];
  const cleared: Target[] = [];
  const book = new RuleBook({ layout: LAYOUT, current: rules, fallback: previous });
  const people = new People({
    services: () => book.current.services,
    pool: span(21000, 29999),
    maxTtl: hours(12),
    random: seededRandom(2),
    clock,
    users,
    lastId: 0,
  });
  const claims = new Claims({ clock });
  const claimDesk = new ClaimDesk({ claims, recorder, clock, log, hasPhone });
  const ledger = new GrantLedger({ clock, random: seededRandom(3), maxTtl: hours(12) });
  const held = new HeldTargets();
  const desired = new DesiredContents({
    ...{ ledger, held, ipv6Prefix },
    entries: () => [...entries, ...entriesOf(book.current)],
    fallbackEntries: () => (book.fallback === null ? null : [...entries, ...entriesOf(book.fallback)]),
  });
  let loads = 0;
  const guard: Guard = new Guard({
    firewall,
    recorder,
    clock,
    log,
    desired,
    book,
    isDeclined: false,
    onShaped: () => undefined,
    steps: () => people.steps(),
    onLoaded: async () => {
      loads++;
      await onLoaded?.();
    },
    isConfirmed,
    firstProvision: minutes(5),
  });
  const doorkeeper: Doorkeeper = new Doorkeeper({
    ledger,
    held,
    people,
    recorder,
    door: guard,
    clock,
    log,
    defaultTtl: hours(1),
    ipv6Prefix,
    claims: claimDesk,
    clearStrikes: async (target) => void cleared.push(target),
    ownAddresses: () => new Set([OWN]),
  });
  return {
    ...{
      clock,
      log,
      store,
      firewall,
      recorder,
      entries,
      book,
      cleared,
      people,
      claims,
      claimDesk,
      ledger,
      held,
      desired,
      guard,
      doorkeeper,
    },
    users: () => new Map(people.list().map((user) => [user.id, user])),
    /** How often the guard was put up. */
    loads: () => loads,
    /** Starts as the daemon does. */
    start: async () => {
      await guard.start(await firewall.inspect(book.shape), {}, wait);
      doorkeeper.start();
    },
    /** Lets everything that is under way come to its end. */
    settle: () => clock.advance(minutes(0)),
    /** The details of the journal's events of a name. */
    details: (event: string) => store.events.filter((one) => one.event === event).map(({ detail }) => detail),
  };
}

export type GateRig = ReturnType<typeof gateRig>;

/** The automaton of these users. */
export const stepsOf = (...users: User[]) => new Map(compileSteps(users));

/** An element that somebody else put into our sets. */
export const foreignElement = (target: Address, until: number): SetElement => ({
  scope: service('ssh'),
  target,
  until: until as Monotonic,
  comment: null,
});
