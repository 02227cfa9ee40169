import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSallyportError } from '../../src/core/errors.ts';
import {
  formatPortRange,
  formatPortSpan,
  inSpan,
  type Protocol,
  parsePortRange,
  parsePortSpan,
  spansOverlap,
  toPort,
} from '../../src/core/ports.ts';
import { anyText, errorOf, span } from '../support/core-arbitraries.ts';

const port = fc.integer({ min: 1, max: 65535 });
const ordered = fc.tuple(port, port).map(([a, b]) => span(Math.min(a, b), Math.max(a, b)));
const protocol = fc.constantFrom<Protocol>('tcp', 'udp');

describe('a port', () => {
  it('is a whole number from 1 to 65535, as a number or as text', () => {
    fc.assert(
      fc.property(port, (number) => {
        expect(toPort(number)).toBe(number);
        expect(toPort(String(number))).toBe(number);
      }),
    );
  });

  it.each([
    0,
    -1,
    65536,
    22.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '',
    '0',
    '65536',
    '022',
    '+22',
    '-22',
    '22.0',
    '2e1',
    '0x16',
    ' 22',
    '22 ',
    '22\n',
    '٢٢',
    '123456',
    'ssh',
  ])('is not %j', (value) => {
    expect(errorOf(() => toPort(value)).code).toBe('SP_PORT_INVALID');
  });
});

describe('a range of ports', () => {
  it('is printed so that it reads back to the same, one port without a dash', () => {
    fc.assert(
      fc.property(protocol, ordered, (proto, ports) => {
        expect(parsePortSpan(formatPortSpan(ports))).toEqual(ports);
        expect(parsePortRange(formatPortRange({ protocol: proto, ...ports }))).toEqual({ protocol: proto, ...ports });
      }),
    );
    expect(formatPortRange({ protocol: 'tcp', ...span(22, 22) })).toBe('tcp/22');
    expect(formatPortRange({ protocol: 'udp', ...span(10000, 20000) })).toBe('udp/10000-20000');
    expect(parsePortSpan('22-22')).toEqual(span(22, 22));
  });

  it.each(['', '-', '22-', '-22', '30-20', '1-2-3', '1--2', '0-5', '1-65536', '1 - 2', '01-2', '1:2'])(
    'without a protocol is not %j, nor with one',
    (text) => {
      expect(errorOf(() => parsePortSpan(text)).code).toBe('SP_PORT_INVALID');
      expect(errorOf(() => parsePortRange(`tcp/${text}`)).code).toBe('SP_PORT_INVALID');
    },
  );

  it.each(['22', 'tcp', 'tcp/', '/22', 'TCP/22', 'sctp/22', 'tcp/22/23', 'tcp /22', ' tcp/22', 'tcp:22', 'tcp//22'])(
    'with a protocol is not %j',
    (text) => {
      const error = errorOf(() => parsePortRange(text));
      expect(error.code).toBe('SP_PORT_INVALID');
      expect(error.message).toContain(`"${text}"`);
    },
  );

  it('is read or refused, and nothing else, whatever the text', () => {
    const pieces = fc.constantFrom('tcp', 'udp', '/', '-', '22', '65535', '65536', '0', ' ', ',', '٣');
    const text = fc.oneof(
      fc.array(pieces, { maxLength: 6 }).map((all) => all.join('')),
      anyText(10),
    );
    fc.assert(
      fc.property(text, (typed) => {
        for (const read of [parsePortSpan, parsePortRange, toPort]) {
          try {
            read(typed);
          } catch (error) {
            expect(isSallyportError(error, 'SP_PORT_INVALID')).toBe(true);
          }
        }
      }),
    );
  });

  it('overlaps another where they share a port', () => {
    const small = fc.integer({ min: 1, max: 12 });
    const piece = fc.tuple(small, small).map(([a, b]) => span(Math.min(a, b), Math.max(a, b)));
    const all = Array.from({ length: 14 }, (_, i) => i);
    fc.assert(
      fc.property(piece, piece, (a, b) => {
        const shared = all.filter((one) => one >= a.first && one <= a.last && one >= b.first && one <= b.last);
        expect(spansOverlap(a, b)).toBe(shared.length > 0);
        expect(all.filter((one) => inSpan(one, a) && inSpan(one, b))).toEqual(shared);
      }),
    );
  });
});
