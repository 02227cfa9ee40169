import type { Address, Target } from '../core/address.js';
import type {
  Arming,
  Completion,
  ElementChange,
  ElementKind,
  ElementPlace,
  Firewall,
  GuardContents,
  GuardShape,
  GuardState,
  KeptRules,
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
import { ACTIVE_MAP, FALLBACK_MAP, FAMILIES, PANIC_COMMENT, TABLE } from './names.js';
import { NetlinkElements } from './netlink-elements.js';
import { NftElements } from './nft-elements.js';
import { nftList, nftLoad, type OnStarted } from './nft-program.js';
import { readRanges } from './nft-ranges.js';
import { hasLockdown, renderGuard, setScopes } from './ruleset.js';
import { digest, loadSavedGuard, type SavedGuard, saveGuard } from './saved-guard.js';

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
  /** What the kernel holds, as far as it is known. */
  #shape: GuardShape;
  #scopes: ReadonlySet<SetScope>;
  readonly #clock: Clock;
  readonly #directory: string;
  readonly #onStarted: OnStarted;
  readonly #onUnsaved: (error: unknown) => void;
  readonly #elements: Elements;
  readonly #gatherer: Gatherer;
  /** What was loaded and kept last; undefined until it is known, null where nothing was. */
  #saved: SavedGuard | null | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param options.link netlink; null where it is not to be had: then everything goes through nft
   * @param options.directory where the state is kept; the last guard is saved there
   * @param options.onStarted told of each nft process that changes something
   * @param options.onUnsaved told where a guard is up but could not be saved
   */
  constructor(options: {
    shape: GuardShape;
    clock: Clock;
    directory: string;
    link: NftablesLink | null;
    onStarted?: OnStarted;
    onUnsaved?: (error: unknown) => void;
  }) {
    const { shape, clock, link } = options;
    this.#shape = shape;
    this.#scopes = new Set(setScopes(shape).all);
    this.#clock = clock;
    this.#directory = options.directory;
    this.#onStarted = options.onStarted ?? (() => undefined);
    this.#onUnsaved = options.onUnsaved ?? (() => undefined);
    this.#elements =
      link === null
        ? new NftElements({ shape: () => this.#shape, clock, onStarted: this.#onStarted })
        : new NetlinkElements({ link, scopes: () => this.#scopes, ipv6Prefix: shape.layout.ipv6Prefix, clock });
    this.#gatherer = new Gatherer(
      (task) => this.#serialize(task),
      (change) => this.#elements.change(change),
    );
  }

  get scopes(): ReadonlySet<SetScope> {
    return this.#scopes;
  }

  async inspect(shape: GuardShape): Promise<GuardState> {
    const listing = await listTable();
    if (listing === null) return { table: 'absent', arming: null, hasFallback: false };
    if (listing.includes(PANIC_COMMENT)) return { table: 'opened', arming: null, hasFallback: false };
    const saved = await this.#lastSaved();
    const isShape =
      saved !== null && (saved.text ?? shapeDigest(shape)) === shapeDigest(shape) && saved.listing === digest(listing);
    // An older version has kept no digest of its text, but the comment tells the layout.
    const isIntact = isShape && (saved.text !== null || listing.includes(tableComment(shape)));
    if (isIntact) this.#take(shape);
    const [arming, previous] = await Promise.all([readArming(), readVerdicts(FALLBACK_MAP)]);
    const hasFallback = previous?.length === FAMILIES.length;
    return { table: isIntact ? 'intact' : 'foreign', arming: arming ?? null, hasFallback };
  }

  load(contents: GuardContents, arming: Arming): Promise<void> {
    return this.#serialize(async () => {
      const { shape } = contents;
      const elements = contents.elements[Symbol.iterator]();
      const first = take(elements, IN_TEXT);
      await nftLoad(this.#render({ ...contents, elements: first }, arming), this.#onStarted);
      this.#take(shape);
      if (first.length === IN_TEXT) await this.#elements.fill({ [Symbol.iterator]: () => elements });
      const listing = await listTable();
      if (listing === null) return;
      const { kept = null, older = null } = (await this.#lastSaved()) ?? {};
      this.#saved = { listing: digest(listing), text: shapeDigest(shape), kept, older };
      // The guard is up: a full disk must not make it look as if it were not.
      await this.#save().catch(this.#onUnsaved);
    });
  }

  arm(arming: Arming): Promise<void> {
    return this.#serialize(() => nftLoad([renderArming(arming, this.#shape.fallback !== null)], this.#onStarted));
  }

  keep(kept: KeptRules): Promise<void> {
    return this.#serialize(async () => {
      this.#saved = { listing: '', text: null, ...(await this.#lastSaved()), kept, older: null };
      await this.#save();
    });
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
    return this.#serialize(() => nftLoad(renderRanges(this.#shape, ranges, this.#clock), this.#onStarted));
  }

  async keepConnections(connections: readonly OwnConnection[]): Promise<void> {
    if (!hasLockdown(this.#shape) || connections.length === 0) return;
    await this.#serialize(() => nftLoad(renderBegun(connections), this.#onStarted));
  }

  showElements(which: ElementKind, see: (element: KernelElement) => boolean): Promise<void> {
    return this.#elements.showElements(which === 'held' ? ['held'] : setScopes(this.#shape).services, see);
  }

  findElements(places: Iterable<ElementPlace>): Promise<readonly KernelElement[]> {
    return this.#elements.findElements(places);
  }

  readRanges(): Promise<readonly KernelRange[]> {
    return readRanges(this.#shape);
  }

  readSteps(): Promise<Steps> {
    return this.#elements.readSteps();
  }

  readSeen(): Promise<ReadonlyMap<Address, Monotonic>> {
    return this.#elements.readSeen();
  }

  async readIgnored(): Promise<readonly IgnoredSource[]> {
    return this.#shape.layout.strikes === null ? [] : await this.#elements.readIgnored();
  }

  async forgive(sources: readonly Target[]): Promise<void> {
    if (this.#shape.layout.strikes !== null) await this.#serialize(() => this.#elements.forgive(sources));
  }

  readMailbox(): Promise<readonly Completion[]> {
    return this.#elements.readMailbox();
  }

  #take(shape: GuardShape): void {
    this.#shape = shape;
    this.#scopes = new Set(setScopes(shape).all);
  }

  async #lastSaved(): Promise<SavedGuard | null> {
    this.#saved ??= (await loadSavedGuard(this.#directory)) ?? null;
    return this.#saved;
  }

  /** What an older version has kept stays until there is something to keep in its place. */
  async #save(): Promise<void> {
    if (this.#saved === null || this.#saved === undefined || this.#saved.older !== null) return;
    await saveGuard(this.#directory, this.#saved);
  }

  *#render(contents: GuardContents, arming: Arming): Generator<string> {
    const { shape } = contents;
    yield REPLACE;
    yield `table inet ${TABLE} {\n  comment "${tableComment(shape)}"\n${renderGuard(shape)}\n}\n`;
    yield* renderContents(contents, this.#clock);
    yield renderArming(arming, shape.fallback !== null);
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

function shapeDigest(shape: GuardShape): string {
  return digest(renderGuard(shape));
}

function tableComment(shape: GuardShape): string {
  return `sallyport ${shapeDigest(shape).slice(0, 16)}`;
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

/** undefined where there is no such map. */
async function readVerdicts(name: string): Promise<[unknown, unknown][] | undefined> {
  const text = await nftList(['-j', 'list', 'map', 'inet', TABLE, name]);
  if (text === null) return undefined;
  const { nftables } = JSON.parse(text) as { nftables: { map?: { elem?: [unknown, unknown][] } }[] };
  return nftables.flatMap(({ map }) => map?.elem ?? []);
}

/** undefined where our rules are not consulted, or for one family only. */
async function readArming(): Promise<Arming | undefined> {
  const elements = (await readVerdicts(ACTIVE_MAP)) ?? [];
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
