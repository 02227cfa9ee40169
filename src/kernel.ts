import { isSallyportError } from './core/errors.js';
import type { EarlyGrant } from './core/knock/source.js';
import type { Culprit } from './gate/guard/repair-rounds.js';
import type { Log } from './gate/log.js';
import { type LoggedPacket, NetlinkListener } from './netlink/listener.js';
import { NftablesLink } from './netlink/nftables-link.js';
import type { EarlyLayout, StandingOrder } from './netlink/opening-template.js';

/** What the kernel tells of its own accord. */
export interface KernelNews {
  onPackets(packets: readonly LoggedPacket[], early: EarlyGrant | null): void;
  /** Packets were lost: the mailbox has what they meant. */
  onPacketsLost(): void;
  /** Somebody else changed our table, or may have: null where news was lost. */
  onTableChanged(culprit: Culprit | null): void;
  onFailed(error: Error): void;
}

export interface KernelOptions {
  readonly table: string;
  /** Null where the rules recognise no knocks. */
  readonly nflogGroup: number | null;
  readonly early: EarlyLayout;
  readonly news: KernelNews;
  readonly log: Log;
}

/** The two netlink threads: one writes elements, one listens. Neither where netlink cannot be used. */
export class Kernel {
  readonly #o: KernelOptions;
  #link: NftablesLink | null = null;
  #listener: NetlinkListener | null = null;

  constructor(options: KernelOptions) {
    this.#o = options;
  }

  /** Null where netlink cannot be used: then everything goes through the nft program, and must be polled. */
  get link(): NftablesLink | null {
    return this.#link;
  }

  /** @throws SP_NFLOG_BUSY where another program has the group */
  async start(): Promise<void> {
    const { table, nflogGroup, news, log } = this.#o;
    try {
      this.#link = await NftablesLink.open({ table });
      this.#listener = new NetlinkListener(
        { group: nflogGroup, table, ownPortIds: [this.#link.portId], early: this.#o.early },
        {
          onPackets: (packets, early) => news.onPackets(packets, early),
          onTableChanged: (change) => news.onTableChanged(change),
          onOverrun: (which) => {
            if (which === 'nflog') news.onPacketsLost();
            else news.onTableChanged(null);
          },
          onFailed: (error) => news.onFailed(error),
        },
      );
      await this.#listener.start();
    } catch (error) {
      await this.stop();
      if (!isSallyportError(error, 'SP_NETLINK_UNAVAILABLE')) throw error;
      log.warn({ err: error }, 'netlink cannot be used; going on through the nft program, more slowly');
    }
  }

  async stop(): Promise<void> {
    await this.#listener?.stop();
    await this.#link?.close();
    this.#listener = null;
    this.#link = null;
  }

  /** What the listening thread opens by itself: takes orders away, by their marks, and puts others in. */
  order(removed: readonly number[], put: readonly StandingOrder[]): void {
    this.#listener?.order(removed, put);
  }

  /** The commits of this child of ours are not somebody else's. */
  expectProcess(pid: number): void {
    this.#listener?.expectProcess(pid);
  }
}
