/** A message as NFLOG gives it, made up: a UDP datagram from an address for documentation (RFC 5737). */
import { MessageWriter, NFPROTO_IPV4 } from './message.js';
import { NFULA_MARK, NFULA_PACKET_HDR, NFULA_PAYLOAD, NFULNL_MSG_PACKET } from './nflog.js';

const UDP_PORT = 9;
const NETWORK = [0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
const DATAGRAM = [156, 64, 0, UDP_PORT, 0, 9, 0, 0, 0];

export function sampleMessage(): Uint8Array {
  const writer = new MessageWriter();
  writer.beginMessage(NFULNL_MSG_PACKET, 0, 0, NFPROTO_IPV4, 0);
  writer.bytes(NFULA_PACKET_HDR, new Uint8Array([8, 0, 1, 0]));
  writer.u32(NFULA_MARK, 1);
  writer.bytes(NFULA_PAYLOAD, new Uint8Array([...NETWORK, ...DATAGRAM]));
  writer.endMessage();
  return writer.finish();
}
