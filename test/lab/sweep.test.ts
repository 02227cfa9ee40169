import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import { addWitness, answersTo } from '../support/lab/knockers.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { packet } from '../support/lab/packets.js';

const POOL = { first: 21_000, last: 29_999 };
const PORTS = Array.from({ length: POOL.last - POOL.first + 1 }, (_, i) => POOL.first + i);
const USERS = 100;
const TIMES = 3;

/** Sequences that go up, that go down, close together and far apart: those that a sweep comes nearest to. */
const SEQUENCES = Array.from({ length: USERS }, (_, user) => {
  const gap = 2 + (user % 10) ** 3;
  const first = POOL.first + 60 * user;
  const protocols = [['tcp'], ['udp'], ['tcp', 'udp']][user % 3] ?? [];
  const ports = Array.from({ length: 2 + (user % 3) }, (_, i) => first + i * gap);
  const ordered = user % 2 === 0 ? ports : ports.reverse();
  return ordered.map((port, i) => `${protocols[i % protocols.length]}/${port}`).join(',');
});

describe('a sweep of the pool', () => {
  let lab: Lab;
  let daemon: LabDaemon;

  beforeAll(async () => {
    lab = await Lab.create();
    // The sequences alone stand against it here; with strikes the sweepers are ignored from the 20th packet on.
    daemon = lab.daemon({ config: 'knock: {strikes: off}' });
    await daemon.start();
    await daemon.confirm();
    await addWitness(daemon);
    for (const [index, knock] of SEQUENCES.entries())
      await daemon.addUser(`user${index}`, { knock, services: ['ssh'] });
    await lab.gateway.tell('listenTcp', { port: 22 });
  });

  afterAll(() => lab?.destroy());

  it.each([
    ['ipv4', 88],
    ['ipv6', 89],
  ] as const)(
    'opens nothing for 100 users, up and down, three times over, and a knock still gets in: %s',
    async (family, network) => {
      const many = await lab.manyAddresses(lab.stranger, network);
      const destination = lab.gateway[family];
      const heard = await lab.gateway.received();
      const sweepers = [['tcp'], ['udp'], ['tcp', 'udp']] as const;
      const sources = sweepers.map((_, i) => many[family](i + 1));
      let sent = 0;
      for (const [i, protocols] of sweepers.entries()) {
        const source = sources[i] ?? '';
        const up = PORTS.flatMap((port) =>
          protocols.map((protocol) => packet({ source, destination, protocol, port })),
        );
        for (const sweep of [up, up.toReversed()]) {
          await lab.stranger.raw(lab.gateway, sweep, TIMES);
          sent += sweep.length * TIMES;
        }
      }
      await eventually(
        () => lab.gateway.received(),
        (count) => count - heard >= sent,
      );

      expect(await answersTo(sources, { from: lab.stranger, to: destination, daemon })).toEqual(sources.map(() => []));
      const opened = (await daemon.events()).filter(
        ({ event, user }) => event === 'grant.opened' && user !== 'witness',
      );
      expect(opened.filter((one) => sources.includes(one.address ?? ''))).toEqual([]);

      for (const sequence of SEQUENCES.slice(-3)) await lab.laptop.knock(destination, steps(sequence));
      await eventually(
        () => lab.laptop.tcp(destination, 22),
        (verdict) => verdict === 'open',
      );
      const users = (await daemon.grants())
        .filter(({ address }) => address === lab.laptop[family])
        .map(({ user }) => user);
      expect(users.sort()).toEqual(['user97', 'user98', 'user99']);
    },
  );
});
