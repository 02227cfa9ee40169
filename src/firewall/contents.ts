import { type AddressRange, familyOf, formatAddress, isAddress, type Target } from '../core/address.js';
import type { OwnConnection, RangeContents, SetElement, SetScope } from '../core/firewall.js';
import { type State, type StepKey, type Steps, splitStepKey } from '../core/knock/automaton.js';
import { between, type Clock, type Duration, formatDuration, type Monotonic, millis } from '../core/time.js';
import { intervalSets, type WantedRange } from './interval-sets.js';
import { begunSet, FAMILIES, grantSet, STEP_MAP, TABLE } from './names.js';
import type { Placement } from './placement.js';
import { toKernelStep } from './repeats.js';

/*
 * What fills the guard, as `add element` commands in nft's language. Everything here comes from parsed types: digits,
 * dots, colons, hex and the comment's own alphabet; nothing that nft could read as a host name or a quote.
 */

const PIECE = 2000;

/** Elements of the hash sets, all of them looked at before the first piece is made. */
export function* renderElements(
  scopes: ReadonlySet<SetScope>,
  elements: Iterable<SetElement>,
  clock: Clock,
): Generator<string> {
  const bySet = new Map<string, SetElement[]>();
  for (const element of elements) {
    if (!scopes.has(element.scope)) continue;
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
export function* renderRanges(placement: Placement, ranges: RangeContents, clock: Clock): Generator<string> {
  for (const { set, wanted } of intervalSets(placement, ranges)) {
    yield `flush set inet ${TABLE} ${set}\n`;
    yield* addElements(
      set,
      map(wanted, (range) => renderInterval(range, clock)),
    );
  }
}

function renderInterval(range: WantedRange, clock: Clock): string | undefined {
  if (range.until === undefined) return renderRange(range);
  const left = timeLeft(clock, range.until);
  return left === undefined ? undefined : `${renderRange(range)} timeout ${formatDuration(left)}`;
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

/** The automaton. */
export function renderSteps(steps: Steps): Generator<string> {
  return addElements(STEP_MAP, map(steps, renderStep));
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

function renderRange({ family, first, last }: AddressRange): string {
  const start = formatAddress(family, first);
  return first === last ? start : `${start}-${formatAddress(family, last)}`;
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
