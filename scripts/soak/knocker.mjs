/*
 * Lives in the laptop's namespace and sends what it is told, one JSON object a line on standard input:
 * { to, gap, knocks: [{ source, ports: [{ protocol, port }] }], stray: [{ source, port }] }. Strays are UDP; `gap`
 * milliseconds between the packets of one knock.
 */
import dgram from 'node:dgram';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

async function knock(to, gap, { source, ports }) {
  const socket = dgram.createSocket('udp4');
  socket.on('error', () => {});
  await new Promise((resolve) => socket.bind(0, source, resolve));
  for (const [index, { protocol, port }] of ports.entries()) {
    if (index > 0) await sleep(gap);
    if (protocol === 'tcp') await touch(to, source, port);
    else await new Promise((resolve) => socket.send('', port, to, resolve));
  }
  socket.close();
}

/** Sends a SYN, and no second one. */
async function touch(to, source, port) {
  const socket = net.connect({ host: to, port, localAddress: source });
  socket.on('error', () => {});
  await sleep(2);
  socket.destroy();
}

for await (const line of createInterface({ input: process.stdin })) {
  const { to, gap, knocks = [], stray = [] } = JSON.parse(line);
  for (const one of knocks) void knock(to, gap, one);
  for (const { source, port } of stray) void knock(to, 0, { source, ports: [{ protocol: 'udp', port }] });
}
process.exit(0);
