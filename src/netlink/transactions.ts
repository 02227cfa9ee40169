/**
 * What the kernel tells the multicast group NFNLGRP_NFTABLES of each transaction: its messages, then one NFT_MSG_NEWGEN
 * that says who committed it. Transactions never mix (they are told under the kernel's commit mutex).
 */
import { NFT_MSG_NEWGEN, NFTA_GEN_ID } from './generation.js';
import {
  type Attribute,
  decodeMessages,
  decodeNetfilterBody,
  findAttribute,
  NFNL_SUBSYS_NFTABLES,
  NFPROTO_INET,
  readText,
  readU32,
} from './message.js';

export interface TableChange {
  /** The task that committed, in the initial pid namespace: a thread's id where a thread did it. */
  readonly pid: number | null;
  /** The name of that task, such as "nft". */
  readonly program: string | null;
  /** The netlink port that it was committed through: for nft the id of its process, as its own pid namespace has it. */
  readonly portId: number;
  readonly generation: number | null;
}

/** The name of the table is attribute 1 in messages about tables, chains, rules, sets, elements, objects, flowtables. */
const NFTA_TABLE = 1;
const NFTA_GEN_PROC_PID = 2;
const NFTA_GEN_PROC_NAME = 3;

/** Finds the transactions of others that touched one table of family inet. */
export class TransactionWatch {
  readonly #table: string;
  readonly #ownPortIds: ReadonlySet<number>;
  /** The port of whoever touches the table in the transaction under way. */
  #toucher: number | undefined;

  constructor(table: string, ownPortIds: Iterable<number>) {
    this.#table = table;
    this.#ownPortIds = new Set(ownPortIds);
  }

  /** Takes a datagram and returns the foreign transactions that it ended. */
  feed(datagram: Uint8Array): TableChange[] {
    const changes: TableChange[] = [];
    for (const { type, portId, body } of decodeMessages(datagram)) {
      if (type >> 8 !== NFNL_SUBSYS_NFTABLES) continue;
      if (type === NFT_MSG_NEWGEN) {
        const attributes = decodeNetfilterBody(body)?.attributes ?? [];
        if (this.#toucher !== undefined) changes.push(decodeChange(attributes, this.#toucher));
        this.#toucher = undefined;
      } else if (this.#toucher === undefined && !this.#ownPortIds.has(portId) && this.#namesTable(body)) {
        this.#toucher = portId;
      }
    }
    return changes;
  }

  /** Forgets the transaction under way: something was lost, and what comes next may belong to another. */
  reset(): void {
    this.#toucher = undefined;
  }

  #namesTable(body: Uint8Array): boolean {
    const decoded = decodeNetfilterBody(body);
    return (
      decoded !== undefined &&
      decoded.family === NFPROTO_INET &&
      readText(findAttribute(decoded.attributes, NFTA_TABLE)) === this.#table
    );
  }
}

function decodeChange(attributes: readonly Attribute[], portId: number): TableChange {
  return {
    portId,
    pid: readU32(findAttribute(attributes, NFTA_GEN_PROC_PID)) ?? null,
    program: readText(findAttribute(attributes, NFTA_GEN_PROC_NAME)) ?? null,
    generation: readU32(findAttribute(attributes, NFTA_GEN_ID)) ?? null,
  };
}
