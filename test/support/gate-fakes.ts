import { isDeepStrictEqual } from 'node:util';
import type { Address } from '../../src/core/address.ts';
import type {
  Arming,
  Completion,
  ElementChange,
  ElementKind,
  ElementPlace,
  Firewall,
  GuardContents,
  GuardLayout,
  GuardShape,
  GuardState,
  KeptRules,
  KernelElement,
  KernelRange,
  RangeContents,
  SetElement,
  SetScope,
} from '../../src/core/firewall.ts';
import type { GrantRecord } from '../../src/core/grants/grant.ts';
import type { JournalEvent } from '../../src/core/journal.ts';
import type { State, StepKey, Steps } from '../../src/core/knock/automaton.ts';
import type { IgnoredSource } from '../../src/core/knock/strikes.ts';
import type { Change, JournalQuery, NumberedEvent, Store, StoredState } from '../../src/core/store.ts';
import { type Clock, type Monotonic, millis } from '../../src/core/time.ts';
import type { Log } from '../../src/gate/log.ts';

/** Keeps what was logged. */
export class FakeLog implements Log {
  readonly lines: { readonly level: string; readonly fields: object; readonly message: string }[] = [];
  debug = (fields: object, message: string) => this.#add('debug', fields, message);
  info = (fields: object, message: string) => this.#add('info', fields, message);
  warn = (fields: object, message: string) => this.#add('warn', fields, message);
  error = (fields: object, message: string) => this.#add('error', fields, message);

  messages(level?: string): string[] {
    return this.lines.filter((line) => level === undefined || line.level === level).map(({ message }) => message);
  }

  #add(level: string, fields: object, message: string): void {
    this.lines.push({ level, fields, message });
  }
}

/** Records as a store gives them, some at a time. */
export async function* inPages(records: readonly GrantRecord[], size = 1): AsyncGenerator<readonly GrantRecord[]> {
  for (let start = 0; start < records.length; start += size) yield records.slice(start, start + size);
}

/** A store in memory, which can be full, refuse a change, or be slow. */
export class FakeStore implements Store {
  /** What is kept, in the order in which it was. */
  readonly kept: Change[] = [];
  /** How many changes each write held that was kept. */
  readonly writes: number[] = [];
  /** While it is set, each write fails with what it gives. */
  fault: ((changes: readonly Change[]) => Error | undefined) | undefined;
  /** While it is set, reading the journal fails. */
  readFault: Error | undefined;
  #held: Promise<void> | undefined;
  readonly #journal: NumberedEvent[] = [];

  /** Lets writes wait until the function that it returns is called. */
  hold(): () => void {
    let release = (): void => undefined;
    this.#held = new Promise((resolve) => {
      release = resolve;
    });
    return release;
  }

  async load(): Promise<StoredState> {
    return { users: [], entries: [], names: [], resolved: [], grants: inPages([]), meta: {} };
  }

  async write(changes: readonly Change[]): Promise<void> {
    await this.#held;
    const fault = this.fault?.(changes);
    if (fault !== undefined) throw fault;
    this.kept.push(...changes);
    this.writes.push(changes.length);
    for (const change of changes) {
      if (change.kind === 'journal') this.#journal.push({ ...change.event, seq: this.#journal.length + 1 });
    }
  }

  async readJournal({ since, afterSeq = 0, event, limit }: JournalQuery): Promise<readonly NumberedEvent[]> {
    if (this.readFault !== undefined) throw this.readFault;
    const isAsked = (one: NumberedEvent) =>
      one.seq > afterSeq && (since === undefined || one.at >= since) && (event === undefined || one.event === event);
    return this.#journal.filter(isAsked).slice(-limit);
  }

  async prune(): Promise<number> {
    return 0;
  }

  /** The journal, in order. */
  get events(): JournalEvent[] {
    return this.kept.flatMap((change) => (change.kind === 'journal' ? [change.event] : []));
  }

  /** The names of the journal's events, in order. */
  get told(): string[] {
    return this.events.map(({ event }) => event);
  }

  /** The latest value kept for a key. */
  meta(key: string): string | undefined {
    return this.kept.flatMap((change) => (change.kind === 'meta' && change.key === key ? [change.value] : [])).at(-1);
  }
}

type Call = keyof Firewall;

/**
 * The kernel as the gateway sees it: a table with elements that expire by the clock. Calls that change something are
 * carried out one after the other.
 */
export class FakeFirewall implements Firewall {
  /** What there are sets for; `db` is a service that is not guarded. */
  readonly scopes = new Set(['all', 'ssh', 'web', 'held'] as SetScope[]);
  table: GuardState['table'] = 'absent';
  elements = new Map<string, SetElement & { forever?: boolean }>();
  steps = new Map<StepKey, State>();
  ranges: RangeContents = { entries: new Map(), grants: new Map() };
  mailbox: Completion[] = [];
  readonly seen = new Map<Address, Monotonic>();
  /** What was loaded last. */
  shape: GuardShape | undefined;
  /** What a boot would restore. */
  kept: KeptRules | undefined;
  /** While it is set, nothing can be kept. */
  keepFault: Error | undefined;
  /** The calls that changed something, and those element changes that were not empty. */
  readonly calls: Call[] = [];
  readonly changes: ElementChange[] = [];
  /** While it is set, calls that change something fail with it. */
  fault: Error | undefined;
  /** What happens just before a call is carried out. */
  onCall: ((call: Call) => void | Promise<void>) | undefined;
  readonly #clock: Clock;
  #arming: { until: Monotonic | null } | undefined;
  #isFallbackArmed = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Which rules hold now. */
  get arming(): Arming | null {
    const { until } = this.#arming ?? {};
    if (this.table === 'absent' || this.table === 'opened' || until === undefined) return null;
    if (until === null) return { kind: 'permanent' };
    const remaining = until - this.#clock.monotonic();
    return remaining > 0 ? { kind: 'provisional', remaining: millis(remaining) } : null;
  }

  /** The rules that packets meet now; undefined where nothing of ours holds. */
  get rules(): GuardLayout | undefined {
    if (this.arming !== null) return this.shape?.layout;
    return this.#isFallbackArmed ? (this.shape?.fallback ?? undefined) : undefined;
  }

  /** Whether strangers are shut out. */
  get isGuarding(): boolean {
    return this.rules !== undefined;
  }

  /** What the panic command does. */
  panic(): void {
    this.#clear('opened');
  }

  /** What `nft flush ruleset` does. */
  flush(): void {
    this.#clear('absent');
  }

  /** Takes our rules out of the way, but leaves them there. */
  switchOff(): void {
    this.#arming = undefined;
    this.#isFallbackArmed = false;
  }

  async inspect(shape: GuardShape): Promise<GuardState> {
    await this.onCall?.('inspect');
    const isOther = this.table === 'intact' && !isDeepStrictEqual(this.shape, shape);
    const hasFallback = this.#isFallbackArmed && this.shape?.fallback != null;
    return { table: isOther ? 'foreign' : this.table, arming: this.arming, hasFallback };
  }

  load(contents: GuardContents, arming: Arming): Promise<void> {
    return this.#turn('load', () => {
      this.#clear(this.table === 'none' ? 'none' : 'intact');
      this.shape = contents.shape;
      for (const element of contents.elements) this.#put(element);
      this.steps = new Map(contents.steps);
      this.ranges = contents.ranges;
      this.#arm(arming);
    });
  }

  arm(arming: Arming): Promise<void> {
    return this.#turn('arm', () => this.#arm(arming));
  }

  keep(kept: KeptRules): Promise<void> {
    return this.#turn(undefined, () => {
      if (this.keepFault !== undefined) throw this.keepFault;
      this.kept = kept;
    });
  }

  unload(): Promise<void> {
    return this.#turn('unload', () => this.#clear('absent'));
  }

  change(change: ElementChange): Promise<void> {
    const { present, absent, answered } = change;
    const isEmpty = present.length + absent.length + answered.length === 0;
    return this.#turn(isEmpty ? undefined : 'change', () => {
      if (isEmpty) return;
      this.changes.push(change);
      for (const one of absent) this.elements.delete(`${one.scope} ${one.target}`);
      for (const element of present) this.#put(element);
      this.mailbox = this.mailbox.filter(
        (one) => !answered.some(({ source, state }) => source === one.source && state === one.state),
      );
    });
  }

  changeSteps(removed: readonly StepKey[], added: readonly (readonly [StepKey, State])[]): Promise<void> {
    return this.#turn(removed.length + added.length === 0 ? undefined : 'changeSteps', () => {
      const isMissing = removed.some((key) => !this.steps.has(key));
      const left = new Map([...this.steps].filter(([key]) => !removed.includes(key)));
      const isOther = added.some(([key, to]) => (left.get(key) ?? to) !== to);
      // As nftables does, which then changes nothing.
      if (isMissing || isOther) throw new Error(isMissing ? 'ENOENT' : 'EEXIST');
      this.steps = new Map([...left, ...added]);
    });
  }

  setRanges(ranges: RangeContents): Promise<void> {
    return this.#turn('setRanges', () => {
      this.ranges = ranges;
    });
  }

  async keepConnections(): Promise<void> {}

  async showElements(which: ElementKind, see: (element: KernelElement) => boolean): Promise<void> {
    await this.onCall?.('showElements');
    for (const element of this.#read(which === 'held')) see(element);
  }

  async findElements(places: Iterable<ElementPlace>): Promise<readonly KernelElement[]> {
    const wanted = new Set([...places].map(({ scope, target }) => `${scope} ${target}`));
    return [...this.#read(false), ...this.#read(true)].filter(({ scope, target }) => wanted.has(`${scope} ${target}`));
  }

  async readRanges(): Promise<readonly KernelRange[]> {
    await this.onCall?.('readRanges');
    const now = this.#clock.monotonic();
    const { entries, fallback, grants } = this.ranges;
    return [
      ...[...entries].flatMap(([scope, ranges]) =>
        ranges.map((range) => ({ ...range, scope, holds: 'entry' as const, remaining: null })),
      ),
      ...[...(fallback ?? [])].flatMap(([scope, ranges]) =>
        ranges.map((range) => ({ ...range, scope, holds: 'previous entry' as const, remaining: null })),
      ),
      ...[...grants].flatMap(([scope, ranges]) =>
        ranges
          .filter(({ until }) => until > now)
          .map((range) => ({ ...range, scope, holds: 'grant' as const, remaining: millis(range.until - now) })),
      ),
    ];
  }

  async readSteps(): Promise<Steps> {
    const found = new Map(this.steps);
    await this.onCall?.('readSteps');
    return found;
  }

  async readMailbox(): Promise<readonly Completion[]> {
    return [...this.mailbox];
  }

  async readSeen(): Promise<ReadonlyMap<Address, Monotonic>> {
    return this.seen;
  }

  async readIgnored(): Promise<readonly IgnoredSource[]> {
    return [];
  }

  async forgive(): Promise<void> {}

  /** The elements that let in. */
  get inside(): KernelElement[] {
    return this.#read(false);
  }

  /** Who is in, as `scope target`, without those that are held. */
  get open(): string[] {
    return this.#read(false)
      .map(({ scope, target }) => `${scope} ${target}`)
      .sort();
  }

  #read(areHeld: boolean): KernelElement[] {
    const now = this.#clock.monotonic();
    return [...this.elements.values()]
      .filter(({ scope, until, forever }) => (scope === 'held') === areHeld && (forever === true || until > now))
      .map(({ scope, target, until, comment, forever }) => ({
        scope,
        target,
        comment,
        until: forever === true ? null : until,
      }));
  }

  #put(element: SetElement): void {
    if (!this.scopes.has(element.scope)) return;
    const key = `${element.scope} ${element.target}`;
    if (element.until > this.#clock.monotonic()) this.elements.set(key, element);
    else this.elements.delete(key);
  }

  #arm(arming: Arming): void {
    const until = arming.kind === 'permanent' ? null : ((this.#clock.monotonic() + arming.remaining) as Monotonic);
    this.#arming = { until };
    this.#isFallbackArmed = true;
  }

  #clear(table: GuardState['table']): void {
    this.table = table;
    this.elements = new Map();
    this.steps = new Map();
    this.ranges = { entries: new Map(), grants: new Map() };
    this.#arming = undefined;
    this.#isFallbackArmed = false;
  }

  #turn(call: Call | undefined, task: () => void): Promise<void> {
    const turn = this.#last.then(async () => {
      if (call !== undefined) await this.onCall?.(call);
      if (call !== undefined && this.fault !== undefined) throw this.fault;
      if (call !== undefined) this.calls.push(call);
      task();
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
