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
import type { Clock, Monotonic } from '../core/time.js';
import type { NftablesLink } from '../netlink/nftables-link.js';
import { readArming, readFallback, renderArming } from './arming.js';
import { changeOver, placeBeside } from './changeover.js';
import { renderElements, renderRanges, renderSteps } from './contents.js';
import type { Elements } from './elements.js';
import { Gatherer } from './gather.js';
import { PANIC_COMMENT, TABLE } from './names.js';
import { NetlinkElements } from './netlink-elements.js';
import { NetlinkRanges } from './netlink-ranges.js';
import { NftElements } from './nft-elements.js';
import { nftList, nftLoad, type OnStarted } from './nft-program.js';
import { NftRanges } from './nft-ranges.js';
import { hasLockdown, type Placement, place, setScopes } from './placement.js';
import type { Ranges } from './ranges.js';
import { renderGuard } from './ruleset.js';
import { digest, loadSavedGuard, type SavedGuard, saveGuard } from './saved-guard.js';

/**
 * A guard that is made anew is one text and one transaction where it has up to so many elements, and up to so many ranges. More
 * follow right after it over netlink, in a tenth of the time: those whom they let in wait for a fraction of a second, strangers
 * are out meanwhile.
 */
const IN_TEXT = 2000;

const REPLACE = `add table inet ${TABLE}\ndelete table inet ${TABLE}\n`;

/**
 * The guard in nftables: a table `inet sallyport` of our own, nobody else's rules are touched. The ruleset goes through the
 * nft program, elements over netlink.
 */
export class NftablesFirewall implements Firewall {
  /** What the kernel holds, as far as it is known. */
  #placed: Placement;
  /** It was found so, or put there: what fills it has been kept up since. */
  #isKnown = false;
  #scopes: ReadonlySet<SetScope>;
  readonly #clock: Clock;
  readonly #directory: string;
  readonly #onStarted: OnStarted;
  readonly #onUnsaved: (error: unknown) => void;
  readonly #elements: Elements;
  readonly #ranges: Ranges;
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
    this.#placed = place(shape);
    this.#scopes = new Set(setScopes(shape).all);
    this.#clock = clock;
    this.#directory = options.directory;
    this.#onStarted = options.onStarted ?? (() => undefined);
    this.#onUnsaved = options.onUnsaved ?? (() => undefined);
    const about = { scopes: () => this.#scopes, ipv6Prefix: shape.layout.ipv6Prefix, clock };
    this.#elements =
      link === null
        ? new NftElements({ ...about, onStarted: this.#onStarted })
        : new NetlinkElements({ ...about, link });
    this.#ranges =
      link === null ? new NftRanges({ clock, onStarted: this.#onStarted }) : new NetlinkRanges({ clock, link });
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
    const placed = { ...shape, slots: saved?.slots ?? place(shape).slots };
    const isIntact = isStill(saved, placed, listing);
    if (isIntact) this.#take(placed);
    const [arming, hasFallback] = await Promise.all([readArming(), readFallback()]);
    return { table: isIntact ? 'intact' : 'foreign', arming: arming ?? null, hasFallback };
  }

  load(contents: GuardContents, arming: Arming, isAnew = false): Promise<void> {
    return this.#serialize(async () => {
      if (isAnew || !(await this.#change(contents, arming))) await this.#replace(contents, arming);
      const listing = await listTable();
      if (listing === null) return;
      const { kept = null, older = null } = (await this.#lastSaved()) ?? {};
      const { slots } = this.#placed;
      this.#saved = { listing: digest(listing), text: textDigest(this.#placed), slots, kept, older };
      // The guard is up: a full disk must not make it look as if it were not.
      await this.#save().catch(this.#onUnsaved);
    });
  }

  /**
   * Changes a guard of ours where it stands: what is new is filled before anything asks for it.
   * @returns false where there is none, or it cannot be changed; what was made ready by then nothing asks for
   */
  async #change(contents: GuardContents, arming: Arming): Promise<boolean> {
    const standing = this.#placed;
    if (!this.#isKnown || !isStill(await this.#lastSaved(), standing, await listTable())) return false;
    const to = placeBeside(contents.shape, standing);
    const changeover = changeOver(standing, to, arming);
    if (changeover === undefined) return false;
    const { prepare, newScopes, complete } = changeover;
    try {
      if (prepare !== '') await nftLoad([prepare], this.#onStarted);
      await this.#ranges.write(to, contents.ranges);
      if (newScopes.size > 0) await this.#elements.fill(newScopes, contents.elements);
      await nftLoad([complete], this.#onStarted);
    } catch {
      // Somebody else is at it: made anew it does not depend on what is there.
      return false;
    }
    this.#take(to);
    return true;
  }

  async #replace(contents: GuardContents, arming: Arming): Promise<void> {
    const placed = place(contents.shape);
    const elements = contents.elements[Symbol.iterator]();
    const first = take(elements, IN_TEXT);
    const isShort = countRanges(contents.ranges) <= IN_TEXT;
    this.#ranges.forget();
    await nftLoad(this.#render(placed, { ...contents, elements: first }, arming, isShort), this.#onStarted);
    this.#take(placed);
    if (!isShort) await this.#ranges.write(placed, contents.ranges);
    if (first.length === IN_TEXT) await this.#elements.fill(this.#scopes, { [Symbol.iterator]: () => elements });
  }

  arm(arming: Arming): Promise<void> {
    return this.#serialize(() => nftLoad([renderArming(arming, this.#placed)], this.#onStarted));
  }

  keep(kept: KeptRules): Promise<void> {
    return this.#serialize(async () => {
      const { slots } = this.#placed;
      this.#saved = { listing: '', text: null, slots, ...(await this.#lastSaved()), kept, older: null };
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

  setRanges(ranges: RangeContents, isAnew = false): Promise<void> {
    return this.#serialize(() => {
      if (isAnew) this.#ranges.forget();
      return this.#ranges.write(this.#placed, ranges);
    });
  }

  async keepConnections(connections: readonly OwnConnection[]): Promise<void> {
    if (!hasLockdown(this.#placed) || connections.length === 0) return;
    await this.#serialize(() => this.#elements.keepConnections(connections));
  }

  showElements(which: ElementKind, see: (element: KernelElement) => boolean): Promise<void> {
    return this.#elements.showElements(which === 'held' ? ['held'] : setScopes(this.#placed).services, see);
  }

  findElements(places: Iterable<ElementPlace>): Promise<readonly KernelElement[]> {
    return this.#elements.findElements(places);
  }

  readRanges(): Promise<readonly KernelRange[]> {
    return this.#ranges.read(this.#placed);
  }

  readSteps(): Promise<Steps> {
    return this.#elements.readSteps();
  }

  readSeen(): Promise<ReadonlyMap<Address, Monotonic>> {
    return this.#elements.readSeen();
  }

  async readIgnored(): Promise<readonly IgnoredSource[]> {
    return this.#placed.layout.strikes === null ? [] : await this.#elements.readIgnored();
  }

  async forgive(sources: readonly Target[]): Promise<void> {
    if (this.#placed.layout.strikes !== null) await this.#serialize(() => this.#elements.forgive(sources));
  }

  readMailbox(): Promise<readonly Completion[]> {
    return this.#elements.readMailbox();
  }

  #take(placed: Placement): void {
    this.#placed = placed;
    this.#isKnown = true;
    this.#scopes = new Set(setScopes(placed).all);
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

  *#render(placed: Placement, contents: GuardContents, arming: Arming, withRanges: boolean): Generator<string> {
    const { steps, elements, ranges } = contents;
    yield REPLACE;
    yield `table inet ${TABLE} {\n  comment "sallyport"\n${renderGuard(placed, arming)}\n}\n`;
    if (placed.layout.knocks === 'kernel') yield* renderSteps(steps);
    yield* renderElements(new Set(setScopes(placed).all), elements, this.#clock);
    if (withRanges) yield* renderRanges(placed, ranges, this.#clock);
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

/** Whether the table is as it was loaded, and that was this. */
function isStill(saved: SavedGuard | null, placed: Placement, listing: string | null): boolean {
  return saved !== null && listing !== null && saved.text === textDigest(placed) && saved.listing === digest(listing);
}

const textDigest = (placed: Placement) => digest(renderGuard(placed));
function countRanges({ entries, fallback, grants }: RangeContents): number {
  const all = [entries, fallback, grants].flatMap((some) => [...(some?.values() ?? [])]);
  return all.reduce((sum, ranges) => sum + ranges.length, 0);
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
