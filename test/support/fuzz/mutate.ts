import type { Dice } from './dice.ts';
import { type Assembled, assemble, type Field, type Item, type Part, takeApart } from './tree.ts';

/*
 * What can be wrong with a datagram, in three layers: its messages and attributes (lost, twice, in another place, endless,
 * the parts of two datagrams in one), its fields (every number and value bent, lengths among them), its bytes (cut, torn,
 * turned over). A mutant takes some of each, or is noise altogether.
 */

/** No datagram of the kernel is longer than the buffer that receives it. */
const LONGEST = 1 << 17;
const MOST_REPEATS = 2000;

/** Every field of every message: bent in every way, cut in it, before it and after it, taken out. */
export function* everyField(datagram: Uint8Array): Generator<Uint8Array> {
  const { bytes, fields } = assemble(takeApart(datagram));
  for (const field of fields) {
    for (const bend of BENDS) yield bent(bytes, field, bend);
    for (const cut of [field.offset, field.offset + (field.size >> 1), field.offset + field.size]) {
      yield bytes.slice(0, cut);
    }
    yield spliced(bytes.subarray(0, field.offset), bytes.subarray(field.offset + field.size));
  }
  yield* everyAttribute(datagram);
}

/** Every attribute lost, twice, empty, and one byte too short or too long, in datagrams that are true otherwise. */
function* everyAttribute(datagram: Uint8Array): Generator<Uint8Array> {
  const count = lists(takeApart(datagram)).reduce((sum, list) => sum + list.length, 0);
  for (let n = 0; n < count; n++) {
    for (const change of ['lost', 'twice', 'empty', 'short', 'long'] as const) {
      const parts = takeApart(datagram);
      let left = n;
      for (const list of lists(parts)) {
        const item = list[left];
        if (left >= 0 && item !== undefined) alter(list, left, item, change);
        left -= list.length;
        if (left < 0) break;
      }
      yield assemble(parts).bytes;
    }
  }
}

function alter(list: Item[], at: number, item: Item, change: 'lost' | 'twice' | 'empty' | 'short' | 'long'): void {
  const flat = valueBytes(item);
  if (change === 'lost') list.splice(at, 1);
  else if (change === 'twice') list.splice(at, 0, item);
  else if (change === 'empty') item.value = new Uint8Array();
  else item.value = change === 'short' ? flat.slice(0, -1) : spliced(flat, new Uint8Array(1));
}

/** Makes datagrams with some faults, out of those given. */
export class Mutants {
  readonly #originals: readonly Uint8Array[];
  readonly #whole: readonly Assembled[];
  readonly #parts: readonly Part[];
  readonly #items: readonly Item[];

  constructor(originals: readonly Uint8Array[]) {
    const trees = originals.map(takeApart);
    this.#originals = originals;
    this.#whole = trees.map(assemble);
    this.#parts = trees.flat();
    this.#items = [...lists(this.#parts).flat(), { type: 0, value: new Uint8Array(4) }];
  }

  next(dice: Dice): Uint8Array {
    if (dice.oneIn(40)) return dice.bytes(dice.below(600));
    let { bytes, fields } = dice.oneIn(2) ? dice.pick(this.#whole) : this.#changed(dice);
    if (bytes.length > LONGEST) bytes = bytes.slice(0, LONGEST);
    if (dice.oneIn(2)) {
      for (let n = dice.few(4); n > 0; n--) {
        const field = fields[dice.below(fields.length)];
        if (field !== undefined) bytes = bent(bytes, field, dice.pick(BENDS), dice);
      }
    }
    if (dice.oneIn(3)) for (let n = dice.few(4); n > 0; n--) bytes = tear(dice, bytes, this.#originals);
    return bytes;
  }

  /** One of the originals, whose messages and attributes are others. */
  #changed(dice: Dice): Assembled {
    const parts = takeApart(dice.pick(this.#originals));
    for (let n = dice.few(3); n > 0; n--) {
      const part = parts[dice.below(parts.length)];
      if (part === undefined || dice.oneIn(4)) changeMessages(dice, parts, copyOfPart(dice.pick(this.#parts)));
      else changeAttributes(dice, dice.pick([...lists([part]), []]), copyOfItem(dice.pick(this.#items)));
    }
    return assemble(parts);
  }
}

/** What is put in from elsewhere is a copy: lists that hold each other would have no end. */
function copyOfPart(part: Part): Part {
  return { ...part, rest: copyOfValue(part.rest) };
}

function copyOfItem({ type, value }: Item): Item {
  return { type, value: copyOfValue(value) };
}

function copyOfValue(value: Uint8Array | Item[]): Uint8Array | Item[] {
  return value instanceof Uint8Array ? value : value.map(copyOfItem);
}

function changeMessages(dice: Dice, parts: Part[], other: Part): void {
  const at = dice.below(parts.length + 1);
  const [part] = parts.splice(at, 1);
  const how = dice.below(5);
  if (part === undefined || how === 0) parts.splice(at, 0, other);
  else if (how === 1) parts.splice(at, 0, part, part);
  else if (how === 2) parts.splice(at, 0, { ...part, rest: other.rest });
  else if (how === 3) parts.splice(at, 0, { ...part, type: other.type });
  else if (how === 4) parts.push(...Array.from({ length: dice.few(50) }, () => part));
}

function changeAttributes(dice: Dice, list: Item[], other: Item): void {
  const at = dice.below(list.length + 1);
  const item = list[at];
  if (item === undefined) {
    list.push(other);
    return;
  }
  const changes: (() => void)[] = [
    () => list.splice(at, 1),
    () => list.splice(at, 0, item),
    () => list.splice(dice.below(list.length), 0, ...list.splice(at, 1)),
    () => list.splice(at, 0, other),
    () => list.splice(at, 1, other),
    () => list.splice(at, 1, ...Array.from({ length: dice.few(dice.oneIn(30) ? MOST_REPEATS : 12) }, () => item)),
    () => list.splice(at, 1, { type: item.type, value: nested(item, dice.few(dice.oneIn(10) ? 200 : 5)) }),
    () => list.splice(at, 1, ...(item.value instanceof Uint8Array ? [item, item] : item.value)),
    () => list.splice(at, 1, { type: dice.oneIn(2) ? other.type : dice.below(0x10000), value: item.value }),
    () => list.splice(at, 1, { type: item.type, value: other.value }),
    () =>
      list.splice(at, 1, {
        type: item.type,
        value: dice.bytes(dice.below(dice.oneIn(50) ? 70_000 : dice.pick([5, 20, 200]))),
      }),
    () => list.splice(at, 1, { type: item.type, value: valueBytes(item).slice(0, dice.below(20)) }),
    () => list.splice(at, 1, { type: item.type, value: spliced(valueBytes(item), dice.bytes(dice.few(9))) }),
  ];
  dice.pick(changes)();
}

function nested(item: Item, depth: number): Item[] {
  let inner: Item[] = [item];
  for (let n = 1; n < depth; n++) inner = [{ type: item.type, value: inner }];
  return inner;
}

/** Every list of attributes in some messages, those inside others too. */
function lists(parts: readonly Part[]): Item[][] {
  const found: Item[][] = [];
  const visit = (value: Uint8Array | Item[]): void => {
    if (value instanceof Uint8Array) return;
    found.push(value);
    for (const item of value) visit(item.value);
  };
  for (const { rest } of parts) visit(rest);
  return found;
}

function valueBytes({ value }: Item): Uint8Array {
  if (value instanceof Uint8Array) return value;
  const whole = assemble([{ type: 16, flags: 0, sequence: 0, portId: 0, head: new Uint8Array(4), rest: value }]);
  return whole.bytes.subarray(20);
}

type Bend = (value: Uint8Array, dice: Dice | undefined) => void;

/** Adds to the number that the bytes spell, the last of them the least. */
function add(value: Uint8Array, sum: number): void {
  for (let i = value.length - 1, carry = sum; i >= 0 && carry !== 0; i--) {
    const next = (value[i] ?? 0) + carry;
    value[i] = next;
    carry = next >> 8;
  }
}

/** The same with the first byte the least. */
function addReversed(value: Uint8Array, sum: number): void {
  value.reverse();
  add(value, sum);
  value.reverse();
}

const BENDS: readonly Bend[] = [
  (value) => value.fill(0),
  (value) => value.fill(0xff),
  (value) => value.reverse(),
  (value) => add(value, 1),
  (value) => add(value, -1),
  (value) => addReversed(value, 1),
  (value) => addReversed(value, -1),
  (value) => value.set([(value[0] ?? 0) ^ 0x80]),
  (value) => value.set([(value.at(-1) ?? 0) ^ 0x80], value.length - 1),
  (value) => value.fill(0).set([0x7f]),
  (value, dice) => value.set(dice?.bytes(value.length) ?? value.map((byte) => ~byte)),
];

function bent(bytes: Uint8Array, { offset, size }: Field, bend: Bend, dice?: Dice): Uint8Array {
  const copy = bytes.slice();
  if (offset + size <= copy.length) bend(copy.subarray(offset, offset + size), dice);
  return copy;
}

function tear(dice: Dice, bytes: Uint8Array, originals: readonly Uint8Array[]): Uint8Array {
  const at = dice.below(bytes.length + 1);
  const length = dice.below(dice.pick([2, 5, 17, 64]));
  const how = dice.below(7);
  if (how === 0) return bytes.slice(0, at);
  if (how === 1) return spliced(bytes.subarray(0, at), bytes.subarray(at + length));
  if (how === 2) return spliced(bytes.subarray(0, at), dice.bytes(length), bytes.subarray(at));
  if (how === 3) return spliced(bytes.subarray(0, at), dice.bytes(length), bytes.subarray(at + length));
  if (how === 4) {
    const other = dice.pick(originals);
    return spliced(bytes.subarray(0, at), other.subarray(dice.below(other.length)));
  }
  if (how === 5) return spliced(bytes, dice.bytes(length));
  const copy = bytes.slice();
  if (at < copy.length) copy[at] = (copy[at] ?? 0) ^ (1 << dice.below(8));
  return copy;
}

function spliced(...pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
