/**
 * The generation of the host's tables: a number that each transaction makes larger by one (linux/netfilter/nf_tables.h).
 */
import {
  decodeNetfilterBody,
  findAttribute,
  MessageWriter,
  NFNL_SUBSYS_NFTABLES,
  NFPROTO_UNSPEC,
  NLM_F_REQUEST,
  readU16,
  readU32,
} from './message.js';

export const NFT_MSG_NEWGEN = (NFNL_SUBSYS_NFTABLES << 8) | 15;
const NFT_MSG_GETGEN = (NFNL_SUBSYS_NFTABLES << 8) | 16;
export const NFTA_GEN_ID = 1;

/** Asks for the generation. */
export function encodeGenerationRequest(): Uint8Array<ArrayBuffer> {
  const writer = new MessageWriter();
  writer.beginMessage(NFT_MSG_GETGEN, NLM_F_REQUEST, 1, NFPROTO_UNSPEC);
  writer.endMessage();
  return writer.finish();
}

/** The generation that the body of an NFT_MSG_NEWGEN tells. */
export function decodeGeneration(body: Uint8Array): number | undefined {
  const decoded = decodeNetfilterBody(body);
  return decoded && readU32(findAttribute(decoded.attributes, NFTA_GEN_ID));
}

/**
 * The low 16 bits of the generation in which a message of a dump was made: the resource id of its nfgenmsg. The kernel
 * does not flag dumps of sets as interrupted (NLM_F_DUMP_INTR); this tells it.
 */
export function decodeGenerationMark(body: Uint8Array): number | undefined {
  return readU16(body.subarray(2, 4));
}
