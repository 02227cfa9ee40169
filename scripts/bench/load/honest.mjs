/*
 * Runs in the machine of honest people: each knocks from an address of their own as our client does it, with its own
 * engine: knock, look at the port, after a pause knock again, three tries at most. One JSON object a line on standard
 * input, `{target, knocks: [...ports], port, sources: {first, count}, every}`, is so many people, one each `every`
 * milliseconds; with `payloads` each has a text of their own for the packets to carry. One line says what came of it,
 * `{"done": true, "people": [{open, tries, elapsed}]}`. The port echoes UDP.
 */
import dgram from 'node:dgram';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { knock } from '../../../dist/client/knock.js';
import { toNumber } from './datagrams.mjs';

/** What the client does where nothing else is asked for: src/client/options.ts. */
const DELAY_MS = 150;
const TRIES = 3;

for await (const line of createInterface({ input: process.stdin })) {
  const { sources, every, payloads, ...job } = JSON.parse(line);
  const people = Array.from({ length: sources.count }, async (_, n) => {
    await sleep(n * every);
    return await person(toAddress(toNumber(sources.first) + n), { ...job, payload: Buffer.from(payloads?.[n] ?? '') });
  });
  process.stdout.write(`${JSON.stringify({ done: true, people: await Promise.all(people) })}\n`);
}

async function person(source, { target, knocks, port, payload }) {
  const plan = {
    host: target,
    destinations: [{ address: target, family: 4 }],
    sequence: knocks.map((one) => ({ protocol: 'udp', port: one })),
    delay: DELAY_MS,
    wait: port,
    tries: TRIES,
    payload,
  };
  const pace = { monotonic: () => performance.now(), sleep: (ms) => sleep(ms), jitter: Math.random };
  const { open, tries, elapsed } = await knock(plan, { network: networkOf(source), pace });
  return { open, tries, elapsed };
}

/** The client's network with a given source; the port is looked at with a datagram that its service sends back. */
function networkOf(source) {
  return {
    send(to, { port }, payload) {
      const socket = dgram.createSocket('udp4');
      socket.on('error', () => {});
      socket.bind(0, source, () => socket.send(payload, port, to.address));
      return { fault: undefined, end: () => socket.close() };
    },
    reach(to, port, limit) {
      return new Promise((resolve) => {
        const socket = dgram.createSocket('udp4');
        const finish = (kind) => {
          clearTimeout(timer);
          socket.close();
          resolve({ kind });
        };
        const timer = setTimeout(() => finish('none'), limit);
        socket.on('error', () => {});
        socket.once('message', () => finish('open'));
        socket.bind(0, source, () => socket.send('?', port, to.address));
      });
    },
  };
}

function toAddress(number) {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.');
}
