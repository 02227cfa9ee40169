import { type AddressRange, familyOf, formatAddress, isAddress, type Target } from '../core/address.js';
import type {
  Arming,
  GuardContents,
  GuardShape,
  OwnConnection,
  RangeContents,
  SetElement,
  SetScope,
} from '../core/firewall.js';
import { type State, type StepKey, splitStepKey } from '../core/knock/automaton.js';
import { between, type Clock, type Duration, formatDuration, type Monotonic, millis } from '../core/time.js';
import {
  ACTIVE_MAP,
  begunSet,
  entrySet,
  FALLBACK_MAP,
  FAMILIES,
  grantSet,
  rangeSet,
  STEP_MAP,
  TABLE,
} from './names.js';
import { toKernelStep } from './repeats.js';
import { generationsOf, setScopes } from './ruleset.js';

/*
 * What fills the guard, as `add element` commands in nft's language. Everything here comes from parsed types: digits,
 * dots, colons, hex and the comment's own alphabet; nothing that nft could read as a host name or a quote.
 */

const PIECE = 2000;

/** All contents, in pieces that are cheap to make one by one. */
export function* renderContents(contents: GuardContents, clock: Clock): Generator<string> {
  const { shape, steps, elements, ranges } = contents;
  if (shape.layout.knocks === 'kernel') yield* addElements(STEP_MAP, map(steps, renderStep));
  yield* renderElements(shape, elements, clock);
  yield* renderRanges(shape, ranges, clock);
}

/** Elements of the hash sets, all of them looked at before the first piece is made. */
export function* renderElements(shape: GuardShape, elements: Iterable<SetElement>, clock: Clock): Generator<string> {
  const known = new Set<SetScope>(setScopes(shape).all);
  const bySet = new Map<string, SetElement[]>();
  for (const element of elements) {
    if (!known.has(element.scope)) continue;
    const name = grantSet(element.scope, familyOf(element.target));
    const list = bySet.get(name);
    if (list === undefined) bySet.set(name, [element]);
    else list.push(element);
  }
  for (const [name, some] of bySet)
    yield* addElements(
      name,
      map(some, (one) => renderElement(one, clock)),
    );
}

/** The interval sets, emptied and filled anew. */
export function* renderRanges(shape: GuardShape, ranges: RangeContents, clock: Clock): Generator<string> {
  const { all } = setScopes(shape);
  for (const family of FAMILIES) {
    for (const { scopes, prefix } of generationsOf(shape)) {
      const entries = prefix === '' ? ranges.entries : ranges.fallback;
      for (const scope of scopes) {
        yield* refill(entrySet(scope, family, prefix), ofFamily(entries?.get(scope), family).map(renderRange));
      }
    }
    for (const scope of all) {
      const timed = ofFamily(ranges.grants.get(scope), family).map((range) => {
        const left = timeLeft(clock, range.until);
        return left === undefined ? undefined : `${renderRange(range)} timeout ${formatDuration(left)}`;
      });
      yield* refill(rangeSet(scope, family), timed);
    }
  }
}

/** The host's own connections, in the sets of lockdown. */
export function* renderBegun(connections: readonly OwnConnection[]): Generator<string> {
  for (const family of FAMILIES) {
    const some = connections.filter(({ remote }) => familyOf(remote) === family);
    yield* addElements(
      begunSet(family),
      map(some, ({ remote, remotePort, localPort }) => `${remote} . ${remotePort} . ${localPort}`),
    );
  }
}

/** The elements that make our rules hold, those of the previous ones first. */
export function renderArming(arming: Arming, hasFallback: boolean): string {
  const timeout = arming.kind === 'permanent' ? '' : ` timeout ${formatDuration(wholeMillis(arming.remaining))}`;
  const fallback = hasFallback ? leadTo(FALLBACK_MAP, 'old_guard', '') : '';
  return `${fallback}${leadTo(ACTIVE_MAP, 'guard', timeout)}`;
}

function leadTo(map: string, chain: string, timeout: string): string {
  const elements = FAMILIES.map((family) => `ipv${family}${timeout} : goto ${chain}`).join(', ');
  return `flush map inet ${TABLE} ${map}\nadd element inet ${TABLE} ${map} { ${elements} }\n`;
}

export function renderStep([key, to]: readonly [StepKey, State]): string {
  return `${renderStepKey(key)} : ${toKernelStep(key, to)}`;
}

export function renderStepKey(key: StepKey): string {
  const { from, protocol, port } = splitStepKey(key);
  return `${from} . ${protocol} . ${port}`;
}

/** undefined where no time is left: an element without a timeout would be everlasting. */
export function renderElement(element: SetElement, clock: Clock): string | undefined {
  const left = timeLeft(clock, element.until);
  if (left === undefined) return undefined;
  const comment = element.comment === null ? '' : ` comment "${element.comment}"`;
  return `${renderHashTarget(element.target)} timeout ${formatDuration(left)}${comment}`;
}

/** An address, or the first address of the network. */
export function renderHashTarget(target: Target): string {
  return isAddress(target) ? target : target.slice(0, target.indexOf('/'));
}

/** What is left in whole milliseconds; undefined where it is less than one. */
export function timeLeft(clock: Clock, until: Monotonic): Duration | undefined {
  const left = Math.floor(between(clock.monotonic(), until));
  return left >= 1 ? millis(left) : undefined;
}

function wholeMillis(duration: Duration): Duration {
  return millis(Math.max(1, Math.floor(duration)));
}

function renderRange({ family, first, last }: AddressRange): string {
  const start = formatAddress(family, first);
  return first === last ? start : `${start}-${formatAddress(family, last)}`;
}

function ofFamily<T extends AddressRange>(ranges: readonly T[] | undefined, family: 4 | 6): T[] {
  return (ranges ?? []).filter((range) => range.family === family);
}

function* refill(set: string, items: Iterable<string | undefined>): Generator<string> {
  yield `flush set inet ${TABLE} ${set}\n`;
  yield* addElements(set, items);
}

/** `add element` commands of a bounded length. */
export function* addElements(set: string, items: Iterable<string | undefined>): Generator<string> {
  let piece: string[] = [];
  for (const item of items) {
    if (item === undefined) continue;
    piece.push(item);
    if (piece.length < PIECE) continue;
    yield `add element inet ${TABLE} ${set} { ${piece.join(', ')} }\n`;
    piece = [];
  }
  if (piece.length > 0) yield `add element inet ${TABLE} ${set} { ${piece.join(', ')} }\n`;
}

function* map<A, B>(items: Iterable<A>, change: (item: A) => B): Generator<B> {
  for (const item of items) yield change(item);
}
