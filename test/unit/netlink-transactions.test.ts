import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TransactionWatch } from '../../src/netlink/transactions.ts';
import { CAPTURED, damaged } from '../support/netlink-capture.ts';

const OWN = 21_132;
const { elementsAdded, generation3, elementDeleted, generation4, flushed, generation5 } = CAPTURED;
const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

describe('changes to our table', () => {
  it('by others are told with who made them', () => {
    const watch = new TransactionWatch('sallyport', [OWN]);
    expect(watch.feed(elementDeleted)).toEqual([]);
    expect(watch.feed(generation4)).toEqual([{ pid: 21_154, program: 'nft', portId: 21_154, generation: 4 }]);
    expect(watch.feed(flushed)).toEqual([]);
    expect(watch.feed(generation5)).toEqual([{ pid: 21_156, program: 'nft', portId: 21_156, generation: 5 }]);
  });

  it('by ourselves are not told, nor do they hide the next one', () => {
    const watch = new TransactionWatch('sallyport', [OWN]);
    const told = [elementsAdded, generation3, elementDeleted, generation4].flatMap((datagram) => watch.feed(datagram));
    expect(told).toEqual([{ pid: 21_154, program: 'nft', portId: 21_154, generation: 4 }]);
  });

  it('are told of everyone where no port is our own', () => {
    const watch = new TransactionWatch('sallyport', []);
    expect([...watch.feed(elementsAdded), ...watch.feed(generation3)]).toEqual([
      { pid: 21_148, program: 'node', portId: OWN, generation: 3 },
    ]);
  });

  it('are told apart from changes to another table, and to a table of the same name in another family', () => {
    const other = new TransactionWatch('sally', []);
    expect([...other.feed(flushed), ...other.feed(generation5)]).toEqual([]);
    const inIpv4 = elementDeleted.slice();
    inIpv4[16] = 2;
    const watch = new TransactionWatch('sallyport', []);
    expect([...watch.feed(inIpv4), ...watch.feed(generation4)]).toEqual([]);
  });

  it('are told the same however the messages lie in datagrams', () => {
    const parts = [elementsAdded, generation3, elementDeleted, generation4, flushed, generation5];
    const tell = (datagrams: readonly Uint8Array[]) => {
      const watch = new TransactionWatch('sallyport', [OWN]);
      return datagrams.flatMap((datagram) => watch.feed(datagram));
    };
    fc.assert(
      fc.property(fc.subarray([1, 2, 3, 4, 5]), (cuts) => {
        const edges = [0, ...cuts, parts.length];
        const datagrams = edges.slice(1).map((end, index) => join(...parts.slice(edges[index], end)));
        expect(tell(datagrams)).toEqual(tell(parts));
      }),
    );
    expect(tell(parts)).toHaveLength(2);
  });

  it('that were lost in part are not laid to the next one', () => {
    const watch = new TransactionWatch('sallyport', [OWN]);
    watch.feed(elementDeleted);
    watch.reset();
    expect(watch.feed(generation5)).toEqual([]);
  });

  it('are read without a throw from any bytes', () => {
    const watch = new TransactionWatch('sallyport', [OWN]);
    for (const bytes of damaged()) for (const { pid } of watch.feed(bytes)) expect(pid).not.toBeNaN();
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void watch.feed(bytes)));
  });
});
