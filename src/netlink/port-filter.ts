/** Classic BPF (linux/filter.h, linux/bpf_common.h) on netlink datagrams, which begin with nlmsghdr. */
import { HOST_LITTLE_ENDIAN } from './message.js';

/** struct sock_filter: the code, two jump distances, an operand. */
export const BPF_INSTRUCTION_SIZE = 8;
/** Load a word at an offset; jump if equal; return how many bytes to keep. */
const BPF_LD_W_ABS = 0x20;
const BPF_JEQ = 0x15;
const BPF_RET = 0x06;
const NLMSG_PID_OFFSET = 12;
/** A jump goes at most 255 instructions far. */
const MOST_PORT_IDS = 255;

/** A filter that drops datagrams whose first message carries one of these port ids (at most 255), and keeps all others. */
export function dropFrom(portIds: readonly number[]): Uint8Array {
  const dropped = portIds.slice(0, MOST_PORT_IDS);
  const program = [{ code: BPF_LD_W_ABS, jump: 0, k: NLMSG_PID_OFFSET }];
  for (const [index, portId] of dropped.entries()) {
    // To the last instruction, over the comparisons that are left and the return before it.
    program.push({ code: BPF_JEQ, jump: dropped.length - index, k: asLoaded(portId) });
  }
  program.push({ code: BPF_RET, jump: 0, k: 0xffffffff }, { code: BPF_RET, jump: 0, k: 0 });
  const bytes = new DataView(new ArrayBuffer(program.length * BPF_INSTRUCTION_SIZE));
  for (const [index, { code, jump, k }] of program.entries()) {
    const offset = index * BPF_INSTRUCTION_SIZE;
    bytes.setUint16(offset, code, HOST_LITTLE_ENDIAN);
    bytes.setUint8(offset + 2, jump);
    bytes.setUint32(offset + 4, k, HOST_LITTLE_ENDIAN);
  }
  return new Uint8Array(bytes.buffer);
}

/** A load takes the bytes for network order; the header is in the host's. */
function asLoaded(portId: number): number {
  const header = new DataView(new ArrayBuffer(4));
  header.setUint32(0, portId, HOST_LITTLE_ENDIAN);
  return header.getUint32(0);
}
