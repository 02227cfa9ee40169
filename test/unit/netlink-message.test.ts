import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeAttributes,
  decodeErrno,
  decodeMessages,
  decodeNetfilterBody,
  findAttribute,
  MessageWriter,
  NLM_F_ACK,
  NLM_F_REQUEST,
  readText,
  readU16,
  readU32,
  readU64,
} from '../../src/netlink/message.ts';
import { dropFrom } from '../../src/netlink/port-filter.ts';
import { CAPTURED, damaged } from '../support/netlink-capture.ts';

const everything = (bytes: Uint8Array): void => {
  for (const { body } of decodeMessages(bytes)) {
    decodeErrno(body);
    for (const { value } of decodeNetfilterBody(body)?.attributes ?? []) {
      decodeAttributes(value);
      readText(value);
      readU16(value);
      readU32(value);
      readU64(value);
    }
  }
};

describe('netlink messages', () => {
  it('are read back as they were written', () => {
    const writer = new MessageWriter(1);
    writer.beginMessage(0x0a0c, NLM_F_REQUEST, 7, 1, 0x1234);
    writer.text(1, 'sallyport');
    writer.beginNested(3);
    writer.u8(1, 200);
    writer.u32(2, 0x80000001);
    writer.u64(3, 2 ** 40 + 5);
    writer.endNested();
    writer.endMessage(NLM_F_ACK);
    writer.beginMessage(0x0a0d, 0, 8, 0);
    writer.endMessage();
    const bytes = writer.finish();

    const [first, second, ...more] = decodeMessages(bytes);
    expect(more).toEqual([]);
    expect(first).toMatchObject({ type: 0x0a0c, flags: NLM_F_REQUEST | NLM_F_ACK, sequence: 7, portId: 0 });
    expect(second).toMatchObject({ type: 0x0a0d, flags: 0, sequence: 8 });
    const attributes = decodeNetfilterBody(first?.body ?? bytes)?.attributes ?? [];
    expect(readText(findAttribute(attributes, 1))).toBe('sallyport');
    const nested = decodeAttributes(findAttribute(attributes, 3) ?? bytes) ?? [];
    expect(findAttribute(nested, 1)).toEqual(new Uint8Array([200]));
    expect(readU32(findAttribute(nested, 2))).toBe(0x80000001);
    expect(readU64(findAttribute(nested, 3))).toBe(2 ** 40 + 5);
  });

  it('of the kernel are read to their last byte', () => {
    for (const [name, datagram] of Object.entries(CAPTURED)) {
      const messages = decodeMessages(datagram);
      const read = messages.reduce((sum, { body }) => sum + ((16 + body.length + 3) & ~3), 0);
      expect(read, name).toBe(datagram.length);
      for (const { type, body } of messages) if (type > 15) expect(decodeNetfilterBody(body), name).toBeDefined();
    }
  });

  it('refuse an attribute larger than its length can say', () => {
    const writer = new MessageWriter();
    writer.beginMessage(1, 0, 1, 0);
    expect(() => writer.bytes(1, new Uint8Array(65_532))).toThrow(RangeError);
  });

  it('never throw or hang, whatever the bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), everything), { numRuns: 2000 });
    for (const bytes of damaged()) everything(bytes);
  });

  it('never throw or hang where the lengths lie', () => {
    const lying = fc
      .array(fc.tuple(fc.nat(80), fc.nat(0xffff), fc.uint8Array({ maxLength: 24 })), { maxLength: 12 })
      .map((parts) =>
        parts.flatMap(([length, type, value]) => [length & 255, length >> 8, type & 255, type >> 8, ...value]),
      );
    fc.assert(
      fc.property(lying, fc.nat(600), (body, claimed) => {
        const header = [claimed & 255, claimed >> 8, 0, 0, 12, 10, 2, 0, 1, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0];
        everything(new Uint8Array([...header, ...body]));
      }),
      { numRuns: 2000 },
    );
  });

  it('tell a number beyond what can be held exactly as undefined', () => {
    expect(readU64(new Uint8Array([0, 0x20, 0, 0, 0, 0, 0, 0]))).toBeUndefined();
    expect(readU64(new Uint8Array([0, 0x1f, 255, 255, 255, 255, 255, 255]))).toBe(Number.MAX_SAFE_INTEGER);
    expect(readU64(new Uint8Array(8).fill(255))).toBeUndefined();
  });
});

/** Runs classic BPF as the kernel does, for the three instructions in use. */
function keeps(filter: Uint8Array, datagram: Uint8Array): boolean {
  const program = new DataView(filter.buffer);
  let accumulator = 0;
  for (let at = 0; at < filter.length; at += 8) {
    const code = program.getUint16(at, true);
    const k = program.getUint32(at + 4, true);
    if (code === 0x20) accumulator = new DataView(datagram.buffer, datagram.byteOffset).getUint32(k);
    else if (code === 0x15) at += 8 * (accumulator === k ? (filter[at + 2] ?? 0) : (filter[at + 3] ?? 0));
    else if (code === 0x06) return k !== 0;
  }
  throw new Error('the program has no end');
}

describe('the filter of port ids', () => {
  it('drops what its ports caused and keeps all else', () => {
    const portIds = fc.uniqueArray(fc.nat(0xffffffff), { maxLength: 300 });
    fc.assert(
      fc.property(portIds, fc.nat(0xffffffff), fc.nat(), (ids, other, pick) => {
        const filter = dropFrom(ids);
        const from = (portId: number) => {
          const header = new DataView(new ArrayBuffer(20));
          header.setUint32(12, portId, true);
          return new Uint8Array(header.buffer);
        };
        const filtered = ids.slice(0, 255);
        const own = filtered[pick % Math.max(1, filtered.length)];
        if (own !== undefined) expect(keeps(filter, from(own))).toBe(false);
        expect(keeps(filter, from(other))).toBe(!filtered.includes(other));
      }),
    );
  });
});
