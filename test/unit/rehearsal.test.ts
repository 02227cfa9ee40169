import { describe, expect, it } from 'vitest';
import type { GuardLayout } from '../../src/core/firewall.ts';
import { parsePortSpan } from '../../src/core/ports.ts';
import { hours, seconds } from '../../src/core/time.ts';
import { decodePackets } from '../../src/netlink/nflog.ts';
import { sampleMessage } from '../../src/netlink/sample.ts';
import { rehearse } from '../../src/rehearsal.ts';
import { FakeClock } from '../support/fake-clock.ts';

const LAYOUT: GuardLayout = {
  guarded: new Map(),
  onExpiry: 'cut',
  pool: parsePortSpan('21000-29999'),
  knocks: 'kernel',
  strikes: null,
  window: seconds(10),
  nflogGroup: 864,
  maxTtl: hours(12),
  ipv6Prefix: 128,
  trustedInterfaces: [],
  localPorts: parsePortSpan('32768-60999'),
};

describe('the rehearsal of a knock', () => {
  it('goes all the way to the writing thread, for a source that nobody has', async () => {
    const written: string[] = [];
    const link = {
      rehearse: async (operations: readonly { op: string; set: string }[]) => {
        written.push(operations.map(({ op, set }) => `${op} ${set}`).join(', '));
      },
    };
    await rehearse({ link, layout: LAYOUT, clock: new FakeClock() });
    expect(written.length).toBeGreaterThan(100);
    expect(written[0]).toContain('delete done_4');
    expect(written[0]).toContain('add grant_all_4');
  });

  it('goes on, and ends, where the writing thread refuses', async () => {
    let calls = 0;
    const link = {
      rehearse: async () => {
        calls += 1;
        throw new Error('closed');
      },
    };
    await rehearse({ link, layout: LAYOUT, clock: new FakeClock() });
    expect(calls).toBeGreaterThan(0);
  });

  it('is fed with a message that reads as a logged packet', () => {
    expect(decodePackets(sampleMessage())).toMatchObject([{ source: '192.0.2.1', protocol: 'udp', mark: 1 }]);
  });
});
