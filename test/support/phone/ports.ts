import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/** Below what the system gives to connections of its own, which might take a port while an Asterisk is being restarted. */
const FIRST = 11_000;
const LAST = 20_000;
const RTP_PORTS = 200;

/** Ports for an Asterisk of one's own on loopback: others may run tests on this machine at the same time. */
export async function freePorts() {
  for (;;) {
    const sipPort = randomInt(FIRST, LAST);
    const [httpPort, amiPort] = [sipPort + 1, sipPort + 2];
    const rtp: readonly [number, number] = [sipPort + 10, sipPort + 10 + RTP_PORTS];
    const free = await Promise.all([isFreeUdp(sipPort), isFreeTcp(httpPort), isFreeTcp(amiPort), isFreeUdp(rtp[0])]);
    if (!free.includes(false)) return { sipPort, httpPort, amiPort, rtp };
  }
}

function isFreeTcp(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function isFreeUdp(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  return new Promise((resolve) => {
    socket.once('error', () => resolve(false));
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)));
  });
}
