import type { KernelElement, SetElement as Written } from '../../../src/core/firewall.ts';
import { adoptGrants } from '../../../src/core/grants/restore.ts';
import { hours, minutes } from '../../../src/core/time.ts';
import { NetlinkElements } from '../../../src/firewall/netlink-elements.ts';
import { setScopes } from '../../../src/firewall/placement.ts';
import { KernelKnockSource } from '../../../src/knock/kernel-source.ts';
import { dump, scan } from '../../../src/netlink/dump.ts';
import type { Libc } from '../../../src/netlink/libc.ts';
import type { LoggedPacket } from '../../../src/netlink/nflog.ts';
import type { NftablesLink } from '../../../src/netlink/nftables-link.ts';
import { decodePiece, mergePasses } from '../../../src/netlink/passes.ts';
import { service, span } from '../core-arbitraries.ts';
import { ANNA, BEN, gateRig } from '../gate-rig.ts';
import { SSH } from '../grants.ts';

/** The kernel's side of a netlink socket: hands over the datagrams that it was given, then says that nothing waits. */
export class ScriptedLibc implements Libc {
  readonly trim = () => undefined;
  readonly #waiting: Uint8Array[] = [];
  #errno = 0;

  /** What the kernel will say from now on. */
  say(...datagrams: readonly Uint8Array[]): void {
    this.#waiting.splice(0, this.#waiting.length, ...datagrams);
  }

  recv(_: number, buffer: Uint8Array): number {
    const datagram = this.#waiting.shift();
    this.#errno = 11;
    if (datagram === undefined) return -1;
    buffer.set(datagram.subarray(0, buffer.length));
    return datagram.length;
  }

  socket = () => 3;
  bind = () => 0;
  getsockname = () => 0;
  setsockopt = () => 0;
  send = (_: number, bytes: Uint8Array) => bytes.length;
  poll = () => 1;
  eventfd = () => 4;
  read = () => 8;
  close = () => 0;
  syscall = () => -1;
  address = () => 0n;
  errno = () => this.#errno;
}

const LAYOUT = {
  guarded: new Map(),
  onExpiry: 'cut',
  pool: span(21_000, 29_999),
  knocks: 'kernel',
  strikes: null,
  window: minutes(1),
  nflogGroup: 864,
  maxTtl: hours(12),
  ipv6Prefix: 128,
  policy: 'guard',
  trustedInterfaces: [],
  forwardFrom: [],
  openPorts: [],
  localPorts: span(32_768, 60_999),
} as const;

/** Whom the messages would let in: the ids of the sequences are the test's own. */
export interface Ids {
  readonly anna: number;
  readonly ben: number;
}

/** Everything between a datagram of the kernel's and the decision to open, as the daemon puts it together. */
export async function fuzzedGate(ids: Ids) {
  const users = [
    { ...ANNA, sequenceId: ids.anna },
    { ...BEN, sequenceId: ids.ben },
  ];
  const rig = gateRig({ users });
  await rig.start();
  const libc = new ScriptedLibc();
  let said: readonly Uint8Array[] = [];
  const link = {
    dump: async (set: string) => {
      libc.say(...said);
      return [...mergePasses(await dump(libc, 'sallyport', set))].flat();
    },
    async *scan(set: string) {
      libc.say(...said);
      const pieces: Uint8Array[] = [];
      await scan(libc, 'sallyport', set, ({ bytes }) => pieces.push(bytes));
      for (const bytes of pieces) yield { elements: decodePiece(bytes), at: rig.clock.monotonic() };
    },
  };
  // Only its dumps are asked for here.
  const scopes = new Set(setScopes({ layout: LAYOUT, fallback: null }).all);
  const elements = new NetlinkElements({
    link: link as unknown as NftablesLink,
    scopes: () => scopes,
    ipv6Prefix: LAYOUT.ipv6Prefix,
    clock: rig.clock,
  });
  const problems: unknown[] = [];
  const faults: unknown[] = [];
  const source = new KernelKnockSource({
    readMailbox: async () => (said.length === 0 ? [] : elements.readMailbox()),
    hasDoorbell: true,
    strikes: null,
    onProblem: (error) => problems.push(error),
  });
  let answering: Promise<void> = Promise.resolve();
  await source.start({
    onKnocks: (knocks) => {
      answering = rig.doorkeeper.knocks(knocks).catch((error) => void faults.push(error));
      return answering;
    },
    onStruck: () => undefined,
  });
  const settle = async (): Promise<void> => {
    await answering;
    if (faults.length > 0) throw faults[0];
  };
  return {
    rig,
    users,
    problems,
    /** These packets came from the log group; resolves when they are answered. */
    ring: (packets: readonly LoggedPacket[]): Promise<void> => {
      source.ring(packets);
      return settle();
    },
    /** The mailbox is read, and the kernel answers each dump with these datagrams. */
    collect: async (...datagrams: readonly Uint8Array[]): Promise<void> => {
      said = datagrams;
      await source.collect();
      said = [];
      await settle();
    },
    /** The daemon starts, and finds these elements in the set of a service. */
    restore: async (...datagrams: readonly Uint8Array[]) => {
      said = datagrams;
      const found: KernelElement[] = [];
      await elements.showElements([service('ssh')], (element) => found.push(element) < 0);
      said = [];
      const lapse = { isSameBoot: true, lastAlive: null, maxTtl: LAYOUT.maxTtl };
      const byId = new Map(users.map((user) => [user.id, user]));
      return { found, restored: adoptGrants(found, () => false, byId, lapse, rig.clock) };
    },
    /** Who was let in so far, as the kernel was told. */
    opened: (): Written[] => rig.firewall.changes.flatMap(({ present }) => present),
    services: SSH,
  };
}

export type FuzzedGate = Awaited<ReturnType<typeof fuzzedGate>>;
