import type { LabDaemon } from './daemon.js';
import type { KnockStep, LabHost } from './host.js';
import { eventually, steps } from './lab.js';

export interface Stream {
  readonly source: string;
  readonly knocks: readonly KnockStep[];
}

/** The knock by which a test knows that what was sent before it has been answered. */
const WITNESS = 'witness';
const WITNESS_KNOCK = steps('udp/29001,udp/29003');

export async function addWitness(daemon: LabDaemon): Promise<void> {
  await daemon.addUser(WITNESS, { knock: 'udp/29001,udp/29003', services: ['web'], max_addresses: 1000 });
}

/**
 * Sends streams, and then from each source the knock of the witness. When that is answered, so is all before it: tells
 * who was let in from each source by then, in the order of the streams.
 */
export async function letInBy(
  streams: readonly Stream[],
  { from, to, daemon, copies = 1 }: { from: LabHost; to: string; daemon: LabDaemon; copies?: number },
): Promise<string[][]> {
  await from.streams(to, streams, { copies });
  return await answersTo(
    streams.map(({ source }) => source),
    { from, to, daemon },
  );
}

/** Who is let in from each source, once all that it has sent so far is answered. */
export async function answersTo(
  sources: readonly string[],
  { from, to, daemon }: { from: LabHost; to: string; daemon: LabDaemon },
): Promise<string[][]> {
  await from.streams(
    to,
    sources.map((source) => ({ source, knocks: WITNESS_KNOCK })),
  );
  const answered = await eventually(
    async () => {
      const users = new Map<string, string[]>();
      for (const { address, user } of await daemon.grants())
        users.set(address, [...(users.get(address) ?? []), user ?? '']);
      return sources.map((source) => users.get(source) ?? []);
    },
    (users) => users.every((some) => some.includes(WITNESS)),
    10_000,
  );
  return answered.map((users) => users.filter((user) => user !== WITNESS).sort());
}

/** The sources that the kernel has somewhere on the way through a sequence. */
export async function underWay(gateway: LabHost, family: 'ipv4' | 'ipv6'): Promise<string[]> {
  const map = family === 'ipv4' ? 'state_4' : 'state_6';
  const { stdout } = await gateway.exec('nft', ['-j', 'list', 'map', 'inet', 'sallyport', map]);
  const { nftables } = JSON.parse(stdout) as {
    nftables: { map?: { elem?: [{ elem: { val: string } } | string, unknown][] } }[];
  };
  const keys = nftables.flatMap(({ map: found }) => found?.elem ?? []).map(([key]) => key);
  return keys.map((key) => (typeof key === 'string' ? key : key.elem.val));
}
