import dgram from 'node:dgram';
import { lookup } from 'node:dns/promises';
import net from 'node:net';
import type { Family } from '../core/address.js';
import type { Port } from '../core/ports.js';
import type { Knock } from '../core/sequence.js';
import type { Duration } from '../core/time.js';
import type { Destination } from './host.js';

/** A packet on its way. */
export interface Flight {
  /** The system's code for what went wrong so far, or for the refusal that came back. */
  readonly fault: string | undefined;
  /** Ends what keeps the packet alive: a TCP knock is sent again by the kernel after a second unless this is called. */
  end(): void;
}

/** What a connection attempt met: `none` is silence or an error, whose code is then given. */
export interface Answer {
  readonly kind: 'open' | 'refused' | 'none';
  readonly code?: string;
}

/** What the client needs of the network. */
export interface KnockNetwork {
  /** All addresses of a name, in the resolver's order. Rejects with the resolver's error. */
  lookup(name: string): Promise<readonly Destination[]>;
  /** Sends one knock now. Never throws. */
  send(to: Destination, knock: Knock, payload: Uint8Array): Flight;
  /** Tries to connect by TCP and hangs up at once. Never rejects; takes at most `limit`. */
  reach(to: Destination, port: Port, limit: Duration): Promise<Answer>;
}

/** The network of this machine. */
export const systemNetwork: KnockNetwork = {
  async lookup(name) {
    const found = await lookup(name, { all: true, verbatim: true });
    return found.map(({ address, family }) => ({ address, family: (family === 6 ? 6 : 4) satisfies Family }));
  },
  send: (to, knock, payload) => (knock.protocol === 'tcp' ? sendSyn(to, knock.port) : sendDatagram(to, knock, payload)),
  reach,
};

/**
 * A TCP knock is a SYN. Node calls connect(2) before the event loop's next turn, so the SYN leaves at once. The port is
 * dropped on the far side, so no answer comes, and closing a socket in SYN_SENT sends nothing and stops the kernel's
 * retransmits (the first is due after 1 s: RFC 6298, section 2.1).
 */
function sendSyn(to: Destination, port: Port): Flight {
  let fault: string | undefined;
  const socket = connect(to, port);
  socket.on('error', (error) => {
    fault = codeOf(error);
  });
  return {
    get fault() {
      return fault;
    },
    end: () => void socket.destroy(),
  };
}

function sendDatagram(to: Destination, knock: Knock, payload: Uint8Array): Flight {
  let fault: string | undefined;
  let ended = false;
  let handedOver = false;
  const socket = dgram.createSocket(to.family === 6 ? 'udp6' : 'udp4');
  const settle = (error: Error | null) => {
    if (handedOver) return;
    handedOver = true;
    if (error !== null) fault = codeOf(error);
    if (ended) socket.close();
  };
  socket.on('error', settle);
  socket.send(payload, knock.port, to.address, settle);
  return {
    get fault() {
      return fault;
    },
    end() {
      if (ended) return;
      ended = true;
      if (handedOver) socket.close();
    },
  };
}

function reach(to: Destination, port: Port, limit: Duration): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = connect(to, port);
    const finish = (answer: Answer) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => finish({ kind: 'none' }), limit);
    socket.once('connect', () => finish({ kind: 'open' }));
    socket.on('error', (error) => {
      const code = codeOf(error);
      finish(code === 'ECONNREFUSED' ? { kind: 'refused' } : { kind: 'none', code });
    });
  });
}

function connect(to: Destination, port: Port): net.Socket {
  return net.connect({ host: to.address, port, family: to.family, autoSelectFamily: false });
}

/** The system's name of an error, such as ENETUNREACH. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'unknown error';
}
