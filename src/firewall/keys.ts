import {
  type Address,
  addressBytes,
  addressFromBytes,
  type Family,
  isAddress,
  networkTarget,
  type Target,
} from '../core/address.js';
import type { OwnConnection } from '../core/firewall.js';
import { knockProtocol, type State, type StepKey, splitStepKey, stepKey } from '../core/knock/automaton.js';
import { PROTOCOL_NUMBER, toPort } from '../core/ports.js';
import { HOST_LITTLE_ENDIAN } from '../netlink/message.js';
import { mailboxKey } from '../netlink/opening-template.js';
import { renderHashTarget } from './contents.js';
import { fromKernelStep } from './repeats.js';

/*
 * Keys and data of set elements as the kernel keeps them: the fields of a concatenation each padded to four bytes, addresses
 * and ports in network byte order, marks in the byte order of the host (nft's types `mark`, `inet_proto`, `inet_service`).
 *
 *   step:     from (4, host) | protocol (1 + 3) | port (2 + 2)   ->   to (4, host), or REPEAT (repeats.ts)
 *   done_4:   address (4) | state (4, host)
 *   grant_4:  address (4)
 *   begun_4:  their address (4) | their port (2 + 2) | our port (2 + 2)
 */

export function targetKey(target: Target): Uint8Array {
  return addressBytes(renderHashTarget(target) as Address);
}

export function keyTarget(key: Uint8Array, ipv6Prefix: 64 | 128): Target | undefined {
  const address = addressFromBytes(key);
  return address !== undefined && key.length === 16 ? networkTarget(address, ipv6Prefix) : address;
}

export function stepKeyBytes(key: StepKey): Uint8Array {
  const { from, protocol, port } = splitStepKey(key);
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, from, HOST_LITTLE_ENDIAN);
  view.setUint8(4, PROTOCOL_NUMBER[protocol]);
  view.setUint16(8, port);
  return bytes;
}

export function stateBytes(state: State): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, state, HOST_LITTLE_ENDIAN);
  return bytes;
}

/** undefined where the bytes are no step of ours. */
export function stepFromBytes(key: Uint8Array, data: Uint8Array | undefined): [StepKey, State] | undefined {
  if (key.length !== 12 || data?.length !== 4) return undefined;
  const view = new DataView(key.buffer, key.byteOffset, 12);
  const protocol = knockProtocol(view.getUint8(4));
  const port = view.getUint16(8);
  if (protocol === undefined || port === 0) return undefined;
  const from = view.getUint32(0, HOST_LITTLE_ENDIAN) as State;
  const to = new DataView(data.buffer, data.byteOffset, 4).getUint32(0, HOST_LITTLE_ENDIAN) as State;
  const step = stepKey(from, { protocol, port: toPort(port) });
  return [step, fromKernelStep(step, to)];
}

export function connectionKey({ remote, remotePort, localPort }: OwnConnection): Uint8Array {
  const address = addressBytes(remote);
  const bytes = new Uint8Array(address.length + 8);
  bytes.set(address);
  const view = new DataView(bytes.buffer, address.length);
  view.setUint16(0, remotePort);
  view.setUint16(4, localPort);
  return bytes;
}

export function completionKey(source: Target, state: State): Uint8Array {
  return mailboxKey(targetKey(source), state);
}

export function completionFromKey(key: Uint8Array, family: Family): { source: Address; state: State } | undefined {
  const size = family === 4 ? 4 : 16;
  if (key.length !== size + 4) return undefined;
  const source = addressFromBytes(key.subarray(0, size));
  const state = new DataView(key.buffer, key.byteOffset + size, 4).getUint32(0, HOST_LITTLE_ENDIAN) as State;
  return source === undefined || !isAddress(source) ? undefined : { source, state };
}
