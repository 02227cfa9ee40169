import type { Address, Target } from '../core/address.js';
import type {
  Arming,
  Completion,
  ElementChange,
  ElementKind,
  ElementPlace,
  Firewall,
  GuardContents,
  GuardLayout,
  GuardState,
  KernelElement,
  KernelRange,
  OwnConnection,
  RangeContents,
  SetElement,
  SetScope,
} from '../core/firewall.js';
import type { State, StepKey, Steps } from '../core/knock/automaton.js';
import type { IgnoredSource } from '../core/knock/strikes.js';
import { type Clock, type Duration, type Monotonic, millis } from '../core/time.js';
import type { NftablesLink } from '../netlink/nftables-link.js';
import { renderArming, renderBegun, renderContents, renderRanges } from './contents.js';
import type { Elements } from './elements.js';
import { Gatherer } from './gather.js';
import { ACTIVE_MAP, FAMILIES, PANIC_COMMENT, TABLE } from './names.js';
import { NetlinkElements } from './netlink-elements.js';
import { NftElements } from './nft-elements.js';
import { nftList, nftLoad, type OnStarted } from './nft-program.js';
import { readRanges } from './nft-ranges.js';
import { renderGuard, setScopes } from './ruleset.js';
import { digest, loadSavedGuard, saveGuard } from './saved-guard.js';

/**
 * With up to so many elements the guard is loaded as one text and in one transaction. More follow right after it over
 * netlink, in a tenth of the time: those whom they let in wait for a fraction of a second, strangers are out meanwhile.
 */
const IN_TEXT = 2000;

const REPLACE = `add table inet ${TABLE}\ndelete table inet ${TABLE}\n`;

/**
 * The guard in nftables: a table `inet sallyport` of our own, nobody else's rules are touched. The ruleset goes through the
 * nft program, elements over netlink.
 */
export class NftablesFirewall implements Firewall {
  readonly scopes: ReadonlySet<SetScope>;
  readonly #layout: GuardLayout;
  readonly #clock: Clock;
  readonly #directory: string;
  readonly #onStarted: OnStarted;
  readonly #onUnsaved: (error: unknown) => void;
  readonly #elements: Elements;
  readonly #gatherer: Gatherer;
  /** The digest of what was loaded last; of the saved guard until then. */
  #listing: string | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param options.link netlink; null where it is not to be had: then everything goes through nft
   * @param options.directory where the state is kept; the last guard is saved there
   * @param options.onStarted told of each nft process that changes something
   * @param options.onUnsaved told where a guard is up but could not be saved
   */
  constructor(options: {
    layout: GuardLayout;
    clock: Clock;
    directory: string;
    link: NftablesLink | null;
    onStarted?: OnStarted;
    onUnsaved?: (error: unknown) => void;
  }) {
    const { layout, clock, link } = options;
    this.scopes = new Set(setScopes(layout).all);
    this.#layout = layout;
    this.#clock = clock;
    this.#directory = options.directory;
    this.#onStarted = options.onStarted ?? (() => undefined);
    this.#onUnsaved = options.onUnsaved ?? (() => undefined);
    this.#elements =
      link === null
        ? new NftElements({ layout, clock, onStarted: this.#onStarted })
        : new NetlinkElements({ link, layout, clock });
    this.#gatherer = new Gatherer(
      (task) => this.#serialize(task),
      (change) => this.#elements.change(change),
    );
  }

  async inspect(): Promise<GuardState> {
    const listing = await listTable();
    if (listing === null) return { table: 'absent', arming: null };
    if (listing.includes(PANIC_COMMENT)) return { table: 'opened', arming: null };
    this.#listing ??= (await loadSavedGuard(this.#directory))?.listing;
    const isIntact = listing.includes(this.#tableComment()) && this.#listing === digest(listing);
    const arming = await readArming();
    return { table: isIntact ? 'intact' : 'foreign', arming: arming ?? null };
  }

  load(contents: GuardContents, arming: Arming): Promise<void> {
    return this.#serialize(async () => {
      const elements = contents.elements[Symbol.iterator]();
      const first = take(elements, IN_TEXT);
      await nftLoad(this.#render({ ...contents, elements: first }, arming), this.#onStarted);
      if (first.length === IN_TEXT) await this.#elements.fill({ [Symbol.iterator]: () => elements });
      const listing = await listTable();
      if (listing === null) return;
      this.#listing = digest(listing);
      // The guard is up: a full disk must not make it look as if it were not.
      await saveGuard(this.#directory, { layout: this.#layout, listing: this.#listing }).catch(this.#onUnsaved);
    });
  }

  arm(arming: Arming): Promise<void> {
    return this.#serialize(() => nftLoad([renderArming(arming)], this.#onStarted));
  }

  unload(): Promise<void> {
    return this.#serialize(() => nftLoad([REPLACE], this.#onStarted));
  }

  change(change: ElementChange): Promise<void> {
    return this.#gatherer.add(change);
  }

  changeSteps(removed: readonly StepKey[], added: readonly (readonly [StepKey, State])[]): Promise<void> {
    return this.#serialize(() => this.#elements.changeSteps(removed, added));
  }

  setRanges(ranges: RangeContents): Promise<void> {
    return this.#serialize(() => nftLoad(renderRanges(this.#layout, ranges, this.#clock), this.#onStarted));
  }

  async keepConnections(connections: readonly OwnConnection[]): Promise<void> {
    if (this.#layout.policy !== 'lockdown' || connections.length === 0) return;
    await this.#serialize(() => nftLoad(renderBegun(connections), this.#onStarted));
  }

  showElements(which: ElementKind, see: (element: KernelElement) => boolean): Promise<void> {
    return this.#elements.showElements(which === 'held' ? ['held'] : setScopes(this.#layout).services, see);
  }

  findElements(places: Iterable<ElementPlace>): Promise<readonly KernelElement[]> {
    return this.#elements.findElements(places);
  }

  readRanges(): Promise<readonly KernelRange[]> {
    return readRanges(this.#layout);
  }

  readSteps(): Promise<Steps> {
    return this.#elements.readSteps();
  }

  readSeen(): Promise<ReadonlyMap<Address, Monotonic>> {
    return this.#elements.readSeen();
  }

  async readIgnored(): Promise<readonly IgnoredSource[]> {
    return this.#layout.strikes === null ? [] : await this.#elements.readIgnored();
  }

  async forgive(sources: readonly Target[]): Promise<void> {
    if (this.#layout.strikes !== null) await this.#serialize(() => this.#elements.forgive(sources));
  }

  readMailbox(): Promise<readonly Completion[]> {
    return this.#elements.readMailbox();
  }

  #tableComment(): string {
    return `sallyport ${digest(renderGuard(this.#layout)).slice(0, 16)}`;
  }

  *#render(contents: GuardContents, arming: Arming): Generator<string> {
    yield REPLACE;
    yield `table inet ${TABLE} {\n  comment "${this.#tableComment()}"\n${renderGuard(this.#layout)}\n}\n`;
    yield* renderContents(this.#layout, contents, this.#clock);
    yield renderArming(arming);
  }

  #serialize(task: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(task);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

/** Opens everything and leaves an empty table that says so, which a running daemon respects. Needs no daemon. */
export async function panic(): Promise<void> {
  await nftLoad([REPLACE, `table inet ${TABLE} {\n  comment "${PANIC_COMMENT}"\n}\n`]);
}

/**
 * The rules and sets without their elements, as the kernel has them; null where there is no such table. It is cut out of
 * the whole ruleset: nft 1.0.6, asked for one table, reads all elements of its sets to leave them out, five seconds of it
 * where there are many.
 */
async function listTable(): Promise<string | null> {
  const ruleset = await nftList(['-s', '-t', 'list', 'ruleset', 'inet']);
  return /^table inet sallyport \{$.*?^\}$/ms.exec(ruleset ?? '')?.[0] ?? null;
}

function take(elements: Iterator<SetElement>, most: number): SetElement[] {
  const taken: SetElement[] = [];
  while (taken.length < most) {
    const { done, value } = elements.next();
    if (done === true) break;
    taken.push(value);
  }
  return taken;
}

/** undefined where our rules are not consulted, or for one family only. */
async function readArming(): Promise<Arming | undefined> {
  const text = await nftList(['-j', 'list', 'map', 'inet', TABLE, ACTIVE_MAP]);
  if (text === null) return undefined;
  const { nftables } = JSON.parse(text) as { nftables: { map?: { elem?: [unknown, unknown][] } }[] };
  const elements = nftables.flatMap(({ map }) => map?.elem ?? []);
  const left = elements.map(([key]) => expiresOf(key));
  if (left.length !== FAMILIES.length) return undefined;
  if (left.every((one) => one === null)) return { kind: 'permanent' };
  const shortest = Math.min(...left.map((one) => one ?? Number.POSITIVE_INFINITY));
  return { kind: 'provisional', remaining: millis(shortest) };
}

/** Milliseconds left; null for good. */
function expiresOf(key: unknown): Duration | null {
  if (typeof key !== 'object' || key === null || !('elem' in key)) return null;
  const { expires } = key.elem as { expires?: number };
  return expires === undefined ? null : millis(expires * 1000);
}
