import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { portClasses } from '../../src/core/port-classes.ts';
import { formatPortRange, inSpan, type PortRange, type Protocol, parsePortRange } from '../../src/core/ports.ts';
import type { ServiceName } from '../../src/core/service.ts';
import { service, span } from '../support/core-arbitraries.ts';

const LARGEST = 40;
const port = fc.integer({ min: 1, max: LARGEST });
const ports = fc.tuple(port, port).map(([a, b]) => span(Math.min(a, b), Math.max(a, b)));
const range: fc.Arbitrary<PortRange> = fc
  .tuple(fc.constantFrom<Protocol>('tcp', 'udp'), ports)
  .map(([protocol, one]) => ({ protocol, ...one }));
const guarded: fc.Arbitrary<ReadonlyMap<ServiceName, readonly PortRange[]>> = fc
  .array(fc.array(range, { maxLength: 4 }), { maxLength: 5 })
  .map((all) => new Map(all.map((ranges, i) => [service(`s${i}`), ranges])));

const usual = span(32768, 60999);
const services = (all: Record<string, string[]>) =>
  new Map(Object.entries(all).map(([name, ranges]) => [service(name), ranges.map(parsePortRange)]));
const told = (all: Record<string, string[]>, localPorts = usual) =>
  portClasses(services(all), localPorts).map((one) => [
    one.services.join(),
    one.takesReplies,
    one.ranges.map(formatPortRange).join(),
  ]);

describe('classes of ports', () => {
  it('have each guarded port once, with just the services it belongs to and the replies it may take', () => {
    fc.assert(
      fc.property(guarded, ports, (all, localPorts) => {
        const classes = portClasses(all, localPorts);
        for (const protocol of ['tcp', 'udp'] as const) {
          for (let one = 0; one <= LARGEST + 1; one++) {
            const isHere = (ranges: readonly PortRange[]) =>
              ranges.some((each) => each.protocol === protocol && inSpan(one, each));
            const names = [...all].filter(([, ranges]) => isHere(ranges)).map(([name]) => name);
            const found = classes.flatMap((each) => each.ranges.filter((r) => isHere([r])).map(() => each));
            const takesReplies = protocol === 'udp' || inSpan(one, localPorts);
            const expected = names.length === 0 ? [] : [{ services: names, takesReplies }];
            expect(found.map((each) => ({ services: each.services, takesReplies: each.takesReplies }))).toEqual(
              expected,
            );
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('are all different, and their ranges are not empty and joined where they can be', () => {
    fc.assert(
      fc.property(guarded, ports, (all, localPorts) => {
        const classes = portClasses(all, localPorts);
        const keys = classes.map((one) => `${one.services.join()} ${one.takesReplies}`);
        expect(new Set(keys).size).toBe(keys.length);
        for (const { ranges } of classes) {
          expect(ranges.length).toBeGreaterThan(0);
          for (const [i, { protocol, first, last }] of ranges.entries()) {
            expect(first).toBeLessThanOrEqual(last);
            const next = ranges[i + 1];
            if (next?.protocol === protocol) expect(next.first).toBeGreaterThan(last + 1);
          }
        }
      }),
    );
  });

  it('are one a service where nothing overlaps, apart for UDP, which takes replies where it listens', () => {
    expect(told({ ssh: ['tcp/22'], sip: ['udp/5060', 'tcp/5061', 'udp/10000-20000'] })).toEqual([
      ['ssh', false, 'tcp/22'],
      ['sip', false, 'tcp/5061'],
      ['sip', true, 'udp/5060,udp/10000-20000'],
    ]);
  });

  it('are cut where services overlap, and where the local ports begin', () => {
    expect(told({ a: ['tcp/10-20'], b: ['tcp/15-30'] })).toEqual([
      ['a', false, 'tcp/10-14'],
      ['a,b', false, 'tcp/15-20'],
      ['b', false, 'tcp/21-30'],
    ]);
    expect(told({ a: ['tcp/32000-33000'] })).toEqual([
      ['a', false, 'tcp/32000-32767'],
      ['a', true, 'tcp/32768-33000'],
    ]);
  });

  it('reach to the last port there is', () => {
    expect(told({ a: ['tcp/1-65535', 'udp/65535'] }, span(65000, 65535))).toEqual([
      ['a', false, 'tcp/1-64999'],
      ['a', true, 'tcp/65000-65535,udp/65535'],
    ]);
  });

  it('are none where nothing is guarded', () => {
    expect(told({})).toEqual([]);
    expect(told({ a: [] })).toEqual([]);
  });
});
