import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Monotonic, millis } from '../../src/core/time.ts';
import { encodeBatch, type SetElement } from '../../src/netlink/elements.ts';
import { mergePasses, type Pass } from '../../src/netlink/passes.ts';
import { CAPTURED, damaged } from '../support/netlink-capture.ts';

/** When the reading was done. */
const NOW = 1_000_000 as Monotonic;

const element = (n: number): SetElement => ({ key: new Uint8Array([n]) });

function pass(age: number, ...pieces: readonly SetElement[][]): Pass {
  const encoded = pieces.map((elements) => {
    const steps = encodeBatch('t', [{ op: 'add', set: 's', elements }]);
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value.bytes;
    }
  });
  return { pieces: encoded.map((bytes) => ({ bytes, at: (NOW - age) as Monotonic })) };
}

const merged = (...passes: Pass[]): SetElement[] => [...mergePasses({ passes, at: NOW })].flat();
const numbers = (elements: readonly SetElement[]): (number | undefined)[] => elements.map(({ key }) => key[0]).sort();

describe('the passes of a dump', () => {
  it('give every element that one of them told, each once', () => {
    const pieces = fc.array(fc.array(fc.nat(255).map(element), { maxLength: 20 }), { maxLength: 4 });
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 4 }), (passes) => {
        const expected = [...new Set(passes.flat(2).map(({ key }) => key[0]))].sort();
        expect(numbers(merged(...passes.map((some) => pass(5, ...some))))).toEqual(expected);
      }),
    );
  });

  it('tell the latest word on an element', () => {
    const [old, fresh] = [
      { ...element(1), comment: 'old' },
      { ...element(1), comment: 'new' },
    ];
    expect(merged(pass(9, [old]), pass(1, [fresh]))).toEqual([fresh]);
  });

  it('keep the end of an interval apart from the start of the next', () => {
    const both = [element(1), { ...element(1), intervalEnd: true }];
    expect(merged(pass(9, both), pass(1, both))).toHaveLength(2);
  });

  it('let an element lose the time since it was told, and end with it', () => {
    const dumped = (age: number): Pass => ({
      pieces: [{ bytes: CAPTURED.dump.slice(), at: (NOW - age) as Monotonic }],
    });
    expect(merged(dumped(9972.5), pass(0, []))[0]?.remaining).toBe(millis(79_999));
    expect(merged(dumped(90_000), pass(0, []))).toEqual([]);
    expect(merged(dumped(9972.5))[0]?.remaining).toBe(millis(79_999));
    expect(merged(dumped(0))[0]?.remaining).toBe(millis(89_972));
  });

  it('are refused by a coded error, and no other, where the bytes are damaged', () => {
    for (const bytes of damaged()) {
      try {
        merged({ pieces: [{ bytes: bytes.slice(), at: NOW }] });
      } catch (error) {
        expect(error).toMatchObject({ name: 'NetlinkError', errno: 74 });
      }
    }
  });
});
