import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import { mustRun } from '../support/lab/host.js';
import { underWay } from '../support/lab/knockers.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { packet } from '../support/lab/packets.js';

const SENDER = fileURLToPath(new URL('../support/lab/duplicates.mjs', import.meta.url));
const SEQUENCE = steps('tcp/21234,udp/28111,udp/24711');
const SOURCES = 60;
const COPIES = 50;
const ROUNDS = 5;
/** Milliseconds from one source to the next: long enough for all its copies on a busy machine, most of the time. */
const SLOT = 8;
/** Milliseconds that the senders have to start in. */
const LEAD = 1500;

/** Packets that each processor took from its queue so far, and that it dropped since the queue was full. */
function queues(): { processed: number; dropped: number }[] {
  const lines = readFileSync('/proc/net/softnet_stat', 'utf8').trim().split('\n');
  return lines.map((line) => {
    const [processed = 0, dropped = 0] = line.split(' ').map((text) => Number.parseInt(text, 16));
    return { processed, dropped };
  });
}

describe('a race of duplicate completing packets', () => {
  let lab: Lab;
  let daemon: LabDaemon;
  let mac: string;

  beforeAll(async () => {
    lab = await Lab.create();
    daemon = lab.daemon({ config: 'knock: {strikes: off}' });
    await daemon.start();
    await daemon.confirm();
    const knock = SEQUENCE.map(({ protocol, port }) => `${protocol}/${port}`).join(',');
    await daemon.addUser('alice', { knock, services: ['ssh'], max_addresses: 1000 });
    const link = await mustRun('ip', ['-j', '-n', lab.gateway.namespace, 'link', 'show', 'eth0']);
    [{ address: mac }] = JSON.parse(link) as [{ address: string }];
  });

  afterAll(() => lab?.destroy());

  const cpus = [0, availableParallelism() > 1 ? 1 : 0];

  /** Two processes, each on its own processor, send the same packets. */
  async function raceFrom(packets: readonly (readonly string[])[]): Promise<number> {
    const startAt = Number(process.hrtime.bigint()) / 1e6 + LEAD;
    const senders = cpus.map(async (cpu, index) => {
      const input = JSON.stringify({ mac, startAt, slot: SLOT, copies: COPIES, packets: packets[index] });
      const argv = ['-c', String(cpu), process.execPath, SENDER];
      const { code, stdout, stderr } = await lab.laptop.exec('taskset', argv, { input });
      if (code !== 0) throw new Error(`a sender ended with ${code}: ${stderr}`);
      return (JSON.parse(stdout) as { sent: number }).sent;
    });
    return (await Promise.all(senders)).reduce((sum, sent) => sum + sent, 0);
  }

  it.each(['ipv4', 'ipv6'] as const)(
    `gives each of ${SOURCES} sources one grant for ${2 * SOURCES * COPIES} packets on two processors, ${ROUNDS} times: %s`,
    async (family) => {
      const addressOf = (n: number) => (family === 'ipv4' ? `10.95.${n >> 8}.${n & 255}` : `fd95::${n.toString(16)}`);
      const destination = lab.gateway[family];
      const before = queues();
      let sent = 0;
      const all: string[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const sources = Array.from({ length: SOURCES }, (_, n) => addressOf(1 + round * SOURCES + n));
        all.push(...sources);
        for (const [index, { protocol, port }] of SEQUENCE.slice(0, -1).entries()) {
          const packets = sources.map((source) =>
            packet({ source, destination, protocol, port, sourcePort: 40_000 + index }),
          );
          await lab.laptop.raw(lab.gateway, packets);
        }
        await eventually(
          () => underWay(lab.gateway, family),
          (found) => sources.every((source) => found.includes(source)),
        );
        const last = SEQUENCE.at(-1) ?? { protocol: 'udp', port: 0 };
        const completing = sources.map((source) => packet({ source, destination, ...last }));
        sent += await raceFrom([completing, completing]);
      }
      expect(sent).toBe(2 * SOURCES * COPIES * ROUNDS);
      const after = queues();
      for (const cpu of cpus) {
        const processed = (after[cpu]?.processed ?? 0) - (before[cpu]?.processed ?? 0);
        expect(processed, `processor ${cpu} takes part`).toBeGreaterThan(sent / 4);
      }
      const dropped = cpus.map((cpu) => (after[cpu]?.dropped ?? 0) - (before[cpu]?.dropped ?? 0));
      const missing = async () => {
        const open = new Set((await daemon.grants()).map(({ address }) => address));
        return { missing: all.filter((source) => !open.has(source)), dropped };
      };
      await eventually(missing, (found) => found.missing.length === 0);
      // Until nothing is left to answer, and a while longer than it takes to answer a knock.
      await eventually(
        () => lab.gateway.exec('nft', [`list set inet sallyport done_${family.at(-1)}`]),
        ({ stdout }) => !stdout.includes('elements'),
      );
      await lab.laptop.tell('wait', { ms: 300 });
      const grants = (await daemon.grants()).filter(({ address }) => all.includes(address));
      expect(grants.map(({ address }) => address).sort()).toEqual(all.toSorted());
      const told = (await daemon.events()).filter(
        ({ event, address }) => event.startsWith('grant.') && all.includes(address ?? ''),
      );
      expect(told.map(({ event, address }) => `${event} ${address}`).sort()).toEqual(
        all.map((source) => `grant.opened ${source}`).sort(),
      );
      expect((await underWay(lab.gateway, family)).filter((source) => all.includes(source))).toEqual([]);
    },
  );
});
