import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { millis, seconds } from '../../src/core/time.ts';
import {
  type Batch,
  decodeElements,
  encodeBatch,
  encodeDumpRequest,
  type Operation,
  type SetElement,
} from '../../src/netlink/elements.ts';
import { decodeGeneration } from '../../src/netlink/generation.ts';
import { decodeMessages, NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST } from '../../src/netlink/message.ts';
import { CAPTURED, damaged } from '../support/netlink-capture.ts';

const NEWSETELEM = 0x0a0c;
const DELSETELEM = 0x0a0e;
const NLM_F_EXCL = 0x200;

function encode(operations: readonly Operation[]): Batch {
  const steps = encodeBatch('sallyport', operations);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

const key = (n: number): Uint8Array => new Uint8Array([10, (n >> 16) & 255, (n >> 8) & 255, n & 255]);

const comment = fc
  .string({ unit: 'grapheme', maxLength: 40 })
  .filter((text) => !text.includes('\0') && new TextEncoder().encode(text).length <= 127);
const element: fc.Arbitrary<SetElement> = fc.record(
  {
    key: fc.uint8Array({ minLength: 1, maxLength: 64 }),
    data: fc.uint8Array({ minLength: 1, maxLength: 64 }),
    timeout: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }).map(millis),
    comment,
    intervalEnd: fc.constant(true),
  },
  { requiredKeys: ['key'] },
);

describe('elements of sets', () => {
  it('are written as nft writes them', () => {
    const elements = [{ key: new Uint8Array([203, 0, 113, 7]), timeout: seconds(90), comment: 'G7' }];
    const { bytes } = encode([{ op: 'add', set: 'all4', elements }]);
    const message = [
      '5c000000 0c0a 0504 01000000 00000000', // nlmsghdr: NEWSETELEM; REQUEST, ACK, CREATE; sequence 1
      '01 00 0000', // nfgenmsg: inet
      '0e00 0100 73616c6c79706f727400 0000', // table "sallyport"
      '0900 0200 616c6c3400 000000', // set "all4"
      '2c00 0380 2800 0180', // list of elements, element (both nested)
      '0c00 0400 0000000000015f90', // timeout 90,000 ms
      '0c00 0180 0800 0100 cb007107', // key
      '0900 0600 00 03 473700 000000', // user data: comment, 3 bytes, "G7"
    ];
    const begin = '14000000 1000 0100 00000000 00000000 00 00 000a';
    const end = '14000000 1100 0100 02000000 00000000 00 00 000a';
    expect(Buffer.from(bytes).toString('hex')).toBe([begin, ...message, end].join('').replaceAll(' ', ''));
  });

  it('of a dump are read as the kernel tells them', () => {
    expect(decodeElements(CAPTURED.dump)).toEqual([
      { key: new Uint8Array([203, 0, 113, 7]), timeout: seconds(90), remaining: millis(89_972), comment: 'G7' },
    ]);
    expect(decodeElements(CAPTURED.dumpEnd)).toEqual([]);
    expect(decodeElements(CAPTURED.mapDump)).toEqual([
      { key: new Uint8Array([203, 0, 113, 9]), data: new Uint8Array([1, 0, 0, 0]) },
    ]);
  });

  it('are read back as they were written, however many', () => {
    fc.assert(
      fc.property(
        fc.array(element, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 60 }),
        (some, times) => {
          const elements = Array.from({ length: times }, () => some).flat();
          const { bytes } = encode([{ op: 'add', set: 'x', elements }]);
          expect(decodeElements(bytes)).toEqual(elements);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('of a long list go into several messages of one batch, each told to its operation', () => {
    const long = Array.from({ length: 5000 }, (_, n) => ({
      key: key(n),
      timeout: seconds(1),
      comment: 'x'.repeat(127),
    }));
    const { bytes, operationOf, last } = encode([
      { op: 'add', set: 'a', elements: long },
      { op: 'delete', set: 'a', elements: [{ key: key(1) }] },
      { op: 'delete', set: 'b', elements: [] },
    ]);
    const messages = decodeMessages(bytes);
    expect(messages.length).toBeGreaterThan(12);
    expect(messages.map(({ sequence }) => sequence)).toEqual(messages.map((_, index) => index));
    for (const { type, sequence, body } of messages.slice(1, -1)) {
      expect(operationOf[sequence]).toBe(type === NEWSETELEM ? 0 : 1);
      expect(body.length).toBeLessThan(65_536);
    }
    expect(messages.filter(({ flags }) => (flags & NLM_F_ACK) !== 0).map(({ sequence }) => sequence)).toEqual([last]);
    expect(last).toBe(messages.length - 2);
    expect(messages.at(-2)?.type).toBe(DELSETELEM);
    expect(decodeElements(bytes)).toEqual(long);
  });

  it('are created where they are not there, and are no error where they are', () => {
    const elements = [{ key: key(1) }];
    const flags = decodeMessages(encode([{ op: 'add', set: 'a', elements }]).bytes)[1]?.flags ?? 0;
    expect(flags & (NLM_F_REQUEST | NLM_F_CREATE)).toBe(NLM_F_REQUEST | NLM_F_CREATE);
    expect(flags & NLM_F_EXCL).toBe(0);
  });

  it('are deleted by their key alone', () => {
    const plain = encode([{ op: 'delete', set: 'a', elements: [{ key: key(1) }] }]);
    const full = { key: key(1), data: key(2), timeout: seconds(5), remaining: seconds(1), comment: 'x' };
    expect(encode([{ op: 'delete', set: 'a', elements: [full] }]).bytes).toEqual(plain.bytes);
  });

  it.each([0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60])(
    'with a timeout of %d ms are refused, since the kernel might keep them for ever',
    (timeout) => {
      const elements = [{ key: key(1), timeout: millis(timeout) }];
      expect(() => encode([{ op: 'add', set: 'a', elements }])).toThrow(RangeError);
    },
  );

  it.each([
    ['an empty key', { key: new Uint8Array(0) }],
    ['a key of 65 bytes', { key: new Uint8Array(65) }],
    ['empty data', { key: key(1), data: new Uint8Array(0) }],
    ['a comment of 128 bytes', { key: key(1), comment: 'x'.repeat(128) }],
    ['a comment of 128 bytes in 64 letters', { key: key(1), comment: 'ü'.repeat(64) }],
    ['a comment with NUL', { key: key(1), comment: 'a\0b' }],
  ])('with %s are refused', (_, refused) => {
    expect(() => encode([{ op: 'add', set: 'a', elements: [refused] }])).toThrow(RangeError);
  });

  it('are read without a throw from any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void decodeElements(bytes)),
      { numRuns: 2000 },
    );
    for (const bytes of damaged()) decodeElements(bytes);
  });

  it('keep nothing of the datagram they were read from', () => {
    const datagram = CAPTURED.dump.slice();
    const [read] = decodeElements(datagram) ?? [];
    datagram.fill(0);
    expect(read?.key).toEqual(new Uint8Array([203, 0, 113, 7]));
    expect(read?.key.buffer.byteLength).toBe(4);
  });

  it('are asked for by table and set', () => {
    const [request] = decodeMessages(encodeDumpRequest('sallyport', 'all4'));
    expect(request).toMatchObject({ type: 0x0a0d, flags: 0x301 });
    expect(Buffer.from(request?.body ?? []).toString('latin1')).toContain('sallyport\0');
  });
});

describe('the generation', () => {
  it('is read from what the kernel tells, and from nothing else', () => {
    expect(decodeGeneration(decodeMessages(CAPTURED.generation4)[0]?.body ?? key(0))).toBe(4);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void decodeGeneration(bytes)));
    expect(decodeGeneration(new Uint8Array(0))).toBeUndefined();
  });
});
