import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressFromBytes } from '../../src/core/address.ts';
import { readKnock } from '../../src/netlink/logged-knock.ts';
import { decodeMessages, MessageWriter } from '../../src/netlink/message.ts';
import { decodePacket, decodePackets, encodeNflogBind, type LoggedPacket } from '../../src/netlink/nflog.ts';
import { sampleMessage } from '../../src/netlink/sample.ts';
import { LOGGED } from '../support/fuzz/captured.ts';
import { everyField } from '../support/fuzz/mutate.ts';
import { CAPTURED, damaged } from '../support/netlink-capture.ts';

const u16 = (n: number): number[] => [n >> 8, n & 255];

/** What the kernel says of a packet: ether type, mark unless it is 0, the bytes from the IP header on. */
function logged(etherType: number, mark: number, network: readonly number[]): Uint8Array {
  const writer = new MessageWriter();
  writer.beginMessage(0x0400, 0, 0, 2, 864);
  writer.bytes(1, new Uint8Array([...u16(etherType), 1, 0]));
  if (mark !== 0) writer.u32(2, mark);
  writer.bytes(9, new Uint8Array(network));
  writer.endMessage();
  return writer.finish();
}

const udp = (port: number, payload: readonly number[]): number[] => [
  ...u16(40_000),
  ...u16(port),
  ...u16(8 + payload.length),
  0,
  0,
  ...payload,
];

const tcp = (port: number): number[] => [...u16(40_000), ...u16(port), ...new Array<number>(16).fill(0)];

function ipv4(
  source: readonly number[],
  protocol: number,
  segment: readonly number[],
  options: readonly number[] = [],
) {
  const header = 20 + options.length;
  const start = [0x40 | (header / 4), 0, ...u16(header + segment.length), 0, 0, 0, 0, 64, protocol, 0, 0];
  return [...start, ...source, 192, 0, 2, 1, ...options, ...segment];
}

interface Extension {
  readonly type: number;
  readonly bytes: readonly number[];
}

function ipv6(source: readonly number[], protocol: number, segment: readonly number[], extensions: Extension[] = []) {
  const chain = extensions.flatMap(({ bytes }, index) => [extensions[index + 1]?.type ?? protocol, ...bytes.slice(1)]);
  const start = [0x60, 0, 0, 0, ...u16(chain.length + segment.length), extensions[0]?.type ?? protocol, 64];
  return [...start, ...source, ...new Array<number>(16).fill(1), ...chain, ...segment];
}

const bytes = (length: number) => fc.array(fc.nat(255), { minLength: length, maxLength: length });
const port = fc.integer({ min: 1, max: 65_535 });
const mark = fc.nat(0xffffffff);
const payload = fc.array(fc.nat(255), { maxLength: 80 });
const words = fc.nat(10).chain((count) => bytes(4 * count));
const extension: fc.Arbitrary<Extension> = fc.oneof(
  fc.tuple(fc.constantFrom(0, 43, 60), fc.nat(3)).map(([type, n]) => ({ type, bytes: [0, n, ...zeros(6 + 8 * n)] })),
  fc.constant({ type: 44, bytes: zeros(8) }),
  fc.nat(5).map((n) => ({ type: 51, bytes: [0, n, ...zeros(4 * n + 6)] })),
);

function zeros(count: number): number[] {
  return new Array<number>(count).fill(0);
}

describe('a logged packet', () => {
  it('is read as the kernel hands it over', () => {
    expect(decodePackets(CAPTURED.logged4)).toEqual([
      {
        family: 4,
        source: '127.0.0.1',
        protocol: 'udp',
        destinationPort: 28_111,
        mark: 0x80000001,
        payload: new Uint8Array(Buffer.from('hi there')),
      },
    ]);
    expect(decodePackets(CAPTURED.logged6)).toMatchObject([
      { family: 6, source: '::1', destinationPort: 28_111, payload: new Uint8Array(Buffer.from('hi six')) },
    ]);
  });

  it('over IPv4 is read behind any header options', () => {
    fc.assert(
      fc.property(bytes(4), port, mark, payload, words, (source, destinationPort, mark, content, options) => {
        const common = { family: 4, source: addressFromBytes(new Uint8Array(source)), destinationPort, mark };
        expect(decodePackets(logged(0x0800, mark, ipv4(source, 17, udp(destinationPort, content), options)))).toEqual([
          { ...common, protocol: 'udp', payload: new Uint8Array(content) },
        ]);
        expect(decodePackets(logged(0x0800, mark, ipv4(source, 6, tcp(destinationPort), options)))).toEqual([
          { ...common, protocol: 'tcp', payload: new Uint8Array(0) },
        ]);
      }),
    );
  });

  it('over IPv6 is read behind any chain of extension headers', () => {
    const extensions = fc.array(extension, { maxLength: 4 });
    fc.assert(
      fc.property(bytes(16), port, mark, payload, extensions, (source, destinationPort, mark, content, chain) => {
        const expected = {
          family: 6,
          source: addressFromBytes(new Uint8Array(source)),
          destinationPort,
          mark,
          protocol: 'udp',
          payload: new Uint8Array(content),
        };
        const packet = ipv6(source, 17, udp(destinationPort, content), chain);
        expect(decodePackets(logged(0x86dd, mark, packet))).toEqual([expected]);
      }),
    );
  });

  it('copied in part has the part of its payload', () => {
    const whole = ipv4([203, 0, 113, 7], 17, udp(28_111, zeros(500).fill(7)));
    const [packet] = decodePackets(logged(0x0800, 1, whole.slice(0, 128)));
    expect(packet?.payload).toEqual(new Uint8Array(100).fill(7));
  });

  it('ends where its headers say, not where its bytes do', () => {
    const padded = [...ipv4([203, 0, 113, 7], 17, udp(28_111, [1, 2])), 9, 9, 9];
    expect(decodePackets(logged(0x0800, 1, padded))[0]?.payload).toEqual(new Uint8Array([1, 2]));
  });

  const source = [203, 0, 113, 7];
  const fragment = ipv4(source, 17, udp(28_111, [1]));
  fragment[7] = 9;
  const short = ipv4(source, 17, udp(28_111, [1]));
  short[25] = 7;
  const tiny = ipv4(source, 17, udp(28_111, [1]));
  tiny[0] = 0x44;
  const late = { type: 44, bytes: [0, 0, 0, 0x10, 0, 0, 0, 0] };
  it.each([
    ['of another protocol', logged(0x0800, 1, ipv4(source, 1, udp(28_111, [1])))],
    ['to port 0', logged(0x0800, 1, ipv4(source, 17, udp(0, [1])))],
    ['that is a later fragment', logged(0x0800, 1, fragment)],
    ['that is a later fragment of IPv6', logged(0x86dd, 1, ipv6(zeros(16), 17, udp(28_111, [1]), [late]))],
    ['with a UDP length of 7', logged(0x0800, 1, short)],
    ['with an IP header of 16 bytes', logged(0x0800, 1, tiny)],
    ['whose version is not its ether type', logged(0x86dd, 1, ipv4(source, 17, udp(28_111, [1])))],
    ['that is ARP', logged(0x0806, 1, ipv4(source, 17, udp(28_111, [1])))],
    ['without a transport header', logged(0x0800, 1, ipv4(source, 17, []))],
  ])('%s is left out', (_, datagram) => {
    expect(decodePackets(datagram)).toEqual([]);
  });

  it('cut short anywhere is left out or tells the same', () => {
    for (const [etherType, network] of [
      [0x0800, ipv4(source, 17, udp(28_111, [1, 2, 3]), zeros(8))],
      [0x86dd, ipv6(zeros(16), 17, udp(28_111, [1, 2, 3]), [{ type: 60, bytes: zeros(8) }])],
    ] as const) {
      const [whole] = decodePackets(logged(etherType, 5, network));
      expect(whole).toBeDefined();
      for (let length = 0; length < network.length; length++) {
        for (const cut of decodePackets(logged(etherType, 5, network.slice(0, length)))) {
          expect({ ...cut, payload: null }).toEqual({ ...whole, payload: null });
        }
      }
    }
  });

  it('is read without a throw from any bytes', () => {
    const sane = (packets: readonly (LoggedPacket | undefined)[]) => {
      for (const packet of packets) if (packet !== undefined) expect(packet.destinationPort).toBeGreaterThan(0);
    };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(0x0800, 0x86dd), (noise, etherType) => {
        sane([decodePacket(noise), ...decodePackets(noise), ...decodePackets(logged(etherType, 1, [...noise]))]);
      }),
      { numRuns: 3000 },
    );
    for (const datagram of damaged()) sane(decodePackets(datagram));
  });
});

describe('the quick reading of a knock', () => {
  /** What is read quickly is one packet, and the same as read at length. */
  function agreed(datagram: Uint8Array): boolean {
    const knock = readKnock(datagram);
    if (knock === undefined) return false;
    const packets = decodePackets(datagram).map(({ source, mark }) => ({ source, mark }));
    expect(packets).toEqual([{ source: addressFromBytes(knock.source), mark: knock.mark }]);
    return true;
  }

  it('reads every plain one', () => {
    for (const datagram of [...Object.values(LOGGED), sampleMessage()]) expect(agreed(datagram)).toBe(true);
    const anySource = fc.oneof(bytes(4), bytes(16));
    fc.assert(
      fc.property(anySource, port, mark, payload, fc.boolean(), (source, destinationPort, mark, content, isTcp) => {
        const segment = isTcp ? tcp(destinationPort) : udp(destinationPort, content);
        const network = (source.length === 4 ? ipv4 : ipv6)(source, isTcp ? 6 : 17, segment);
        // Without a mark it completes nothing.
        expect(agreed(logged(source.length === 4 ? 0x0800 : 0x86dd, mark, network))).toBe(mark !== 0);
      }),
    );
  });

  it('tells nothing that the long reading does not, of any bytes', () => {
    for (const datagram of [...damaged(), ...Object.values(LOGGED).flatMap((one) => [...everyField(one)])])
      agreed(datagram);
    const network = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc
        .tuple(bytes(4), fc.constantFrom(6, 17, 1), fc.array(fc.nat(255), { maxLength: 12 }), words)
        .map((parts) => ipv4(...parts)),
      fc
        .tuple(bytes(16), fc.constantFrom(6, 17, 1), fc.array(fc.nat(255), { maxLength: 12 }), fc.array(extension))
        .map((parts) => ipv6(...parts)),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(0x0800, 0x86dd, 0x0806),
        network,
        fc.nat(255),
        fc.nat(255),
        (type, packet, at, value) => {
          const datagram = logged(type, 5, [...packet]);
          agreed(datagram);
          datagram[at % datagram.length] = value;
          agreed(datagram);
        },
      ),
      { numRuns: 5000 },
    );
  });
});

describe('the request for a group', () => {
  it('asks for each packet at once and for part of it', () => {
    const [message] = decodeMessages(encodeNflogBind(864, 128));
    expect(message?.type).toBe(0x0401);
    expect(Buffer.from(message?.body ?? []).toString('hex')).toBe(
      [
        '00000360', // any family, group 864
        '0500010001000000', // bind
        '0a0002000000008002000000', // copy 128 bytes
        '0800050000000001', // a queue of one
        '0800040000000001', // 10 ms
      ].join(''),
    );
  });
});
