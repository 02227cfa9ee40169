import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Destination } from '../../src/client/host.ts';
import { systemNetwork } from '../../src/client/network.ts';
import { toPort } from '../../src/core/ports.ts';
import { millis } from '../../src/core/time.ts';

const HERE: Destination = { address: '127.0.0.1', family: 4 };
const closers: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function listenTcp() {
  const server = net.createServer();
  let connections = 0;
  server.on('connection', (socket) => {
    connections++;
    socket.on('error', () => {});
    socket.resume();
  });
  server.listen(0, HERE.address);
  await once(server, 'listening');
  closers.push(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { server, port: toPort(address.port), connections: () => connections };
}

describe('the network of this machine', () => {
  it('sends an empty datagram as a UDP knock', async () => {
    const socket = dgram.createSocket('udp4');
    closers.push(() => socket.close());
    socket.bind(0, HERE.address);
    await once(socket, 'listening');
    const arrived = once(socket, 'message');
    const knock = { protocol: 'udp', port: toPort(socket.address().port) } as const;
    const flight = systemNetwork.send(HERE, knock, new Uint8Array(0));
    // Ended at once: the packet still leaves, and ending twice does no harm.
    flight.end();
    flight.end();
    expect((await arrived)[0]).toHaveLength(0);
    expect(flight.fault).toBeUndefined();
  });

  it('sends a connection attempt as a TCP knock, and notes a refusal without throwing', async () => {
    const { server, port, connections } = await listenTcp();
    const flight = systemNetwork.send(HERE, { protocol: 'tcp', port }, new Uint8Array(0));
    await vi.waitFor(() => expect(connections()).toBe(1));
    flight.end();
    expect(flight.fault).toBeUndefined();
    server.close();
    await once(server, 'close');
    const refused = systemNetwork.send(HERE, { protocol: 'tcp', port }, new Uint8Array(0));
    await vi.waitFor(() => expect(refused.fault).toBe('ECONNREFUSED'));
    refused.end();
  });

  it('tells an open port from a refused one, and hangs up', async () => {
    const { server, port } = await listenTcp();
    expect(await systemNetwork.reach(HERE, port, millis(5000))).toEqual({ kind: 'open' });
    server.close();
    await once(server, 'close');
    expect(await systemNetwork.reach(HERE, port, millis(5000))).toEqual({ kind: 'refused' });
  });

  it('names the fault of a packet that cannot leave', async () => {
    const nowhere: Destination = { address: '255.255.255.255', family: 4 };
    for (const protocol of ['tcp', 'udp'] as const) {
      const flight = systemNetwork.send(nowhere, { protocol, port: toPort(21234) }, new Uint8Array(0));
      await vi.waitFor(() => expect(flight.fault).toMatch(/^E[A-Z]+$/));
      flight.end();
    }
    expect(await systemNetwork.reach(nowhere, toPort(22), millis(5000))).toMatchObject({ kind: 'none' });
  });

  it('takes a literal address for its own name', async () => {
    expect(await systemNetwork.lookup('127.0.0.1')).toEqual([HERE]);
  });
});
