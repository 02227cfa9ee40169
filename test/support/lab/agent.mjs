/*
 * Lives in a namespace of the lab and does on the network what it is told, one JSON object a line on standard input,
 * one answer a line on standard output: { id, result } or { id, error }.
 */
import dgram from 'node:dgram';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const held = new Map();
const servers = new Map();
const talks = [];
let lastHandle = 0;
let dnsServer;

const commands = {
  async wait({ ms }) {
    await sleep(ms);
  },
  /** Serves TCP: echoes what comes; `ping` asks for a word every 50 ms without being asked. */
  async listenTcp({ port, talk = false, host }) {
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (data) => socket.write(data));
      if (talk) {
        const timer = setInterval(() => socket.write('tick\n'), 50);
        socket.on('close', () => clearInterval(timer));
      }
    });
    await new Promise((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
    servers.set(`tcp/${port}`, server);
  },
  async listenUdp({ port, family = 6 }) {
    const socket = dgram.createSocket({ type: `udp${family}`, ipv6Only: false });
    const seen = new Map();
    const lastSeen = new Map();
    socket.on('message', (data, from) => {
      const who = from.address.replace(/^::ffff:/, '');
      seen.set(who, (seen.get(who) ?? 0) + 1);
      lastSeen.set(who, Date.now());
      socket.send(data, from.port, from.address, () => {});
    });
    await new Promise((resolve, reject) => socket.once('error', reject).bind(port, resolve));
    servers.set(`udp/${port}`, { socket, seen, lastSeen });
  },
  /** How many datagrams came from an address to a UDP port that is served here. */
  async udpSeen({ port, from }) {
    return servers.get(`udp/${port}`)?.seen.get(from) ?? 0;
  },
  /** When (wall clock, milliseconds) the last datagram came from an address to a served UDP port; 0 for never. */
  async udpLastSeen({ port, from }) {
    return servers.get(`udp/${port}`)?.lastSeen.get(from) ?? 0;
  },
  /** Sends from a served UDP port again and again, every `every` milliseconds, until `udpHush`. */
  async udpTalk({ port, address, toPort, every = 50 }) {
    const send = () => commands.udpSend({ port, address, toPort }).catch(() => {});
    send();
    talks.push(setInterval(send, every));
  },
  async udpHush() {
    for (const talk of talks.splice(0)) clearInterval(talk);
  },
  /** Sends from a served UDP port on one's own accord, as a PBX does. */
  async udpSend({ port, address, toPort }) {
    const { socket } = servers.get(`udp/${port}`);
    const to = net.isIPv4(address) ? `::ffff:${address}` : address;
    await new Promise((resolve) => socket.send('hello', toPort, to, resolve));
  },
  /** open, refused or silent. */
  async tcp({ address, port, timeout = 700, source, sourcePort }) {
    const local = { ...(source ? { localAddress: source } : {}), ...(sourcePort ? { localPort: sourcePort } : {}) };
    const socket = net.connect({ host: address, port, ...local });
    const verdict = await Promise.race([
      new Promise((resolve) => {
        socket.once('connect', () => resolve('open'));
        socket.once('error', (error) => resolve(error.code === 'ECONNREFUSED' ? 'refused' : `error ${error.code}`));
      }),
      sleep(timeout, 'silent'),
    ]);
    socket.destroy();
    return verdict;
  },
  /** Whether a datagram comes back. */
  async udp({ address, port, timeout = 500, source, sourcePort }) {
    const socket = dgram.createSocket(net.isIPv6(address) ? 'udp6' : 'udp4');
    await new Promise((resolve) => socket.bind(sourcePort ?? 0, source, resolve));
    const answer = new Promise((resolve) => socket.once('message', () => resolve('open')));
    socket.send('hello', port, address, () => {});
    const verdict = await Promise.race([answer, sleep(timeout, 'silent')]);
    socket.close();
    return verdict;
  },
  /** Opens a flow and keeps it: pings over it later. */
  async hold({ protocol, address, port, source, sourcePort }) {
    const handle = ++lastHandle;
    if (protocol === 'udp') {
      const socket = dgram.createSocket(net.isIPv6(address) ? 'udp6' : 'udp4');
      await new Promise((resolve) => socket.bind(sourcePort ?? 0, source, resolve));
      const flow = {
        received: 0,
        socket,
        port: socket.address().port,
        send: (text) => socket.send(text, port, address, () => {}),
      };
      socket.on('message', () => {
        flow.received++;
        flow.at = Date.now();
      });
      held.set(handle, flow);
      return { handle, port: flow.port };
    }
    const socket = net.connect({ host: address, port, ...(source ? { localAddress: source } : {}) });
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    socket.on('error', () => {});
    const flow = { received: 0, socket, send: (text) => socket.write(text) };
    socket.on('data', (data) => {
      flow.received += data.length;
      flow.at = Date.now();
    });
    held.set(handle, flow);
    return { handle, port: socket.localPort };
  },
  /** Sends over a held flow and tells whether anything came back in time; over TCP, whether all of that much did. */
  async ping({ handle, timeout = 500, bytes = 0 }) {
    const flow = held.get(handle);
    const enough = flow.received + Math.max(1, bytes);
    flow.send(bytes > 0 ? 'x'.repeat(bytes) : 'ping');
    const end = performance.now() + timeout;
    while (performance.now() < end) {
      if (flow.received >= enough) return true;
      await sleep(10);
    }
    return false;
  },
  /** Sends a datagram over a held flow every `every` milliseconds, until `poured`. */
  async pour({ handle, every = 5 }) {
    const flow = held.get(handle);
    flow.poured = 0;
    flow.received = 0;
    flow.pouring = setInterval(() => {
      flow.poured++;
      flow.send('pour');
    }, every);
  },
  /** Ends that; how many were sent, and how many have come back, a while after the last. */
  async poured({ handle, wait = 1000 }) {
    const flow = held.get(handle);
    clearInterval(flow.pouring);
    const end = performance.now() + wait;
    while (flow.received < flow.poured && performance.now() < end) await sleep(10);
    return { sent: flow.poured, back: flow.received };
  },
  /** Is a member of an IPv6 multicast group from now on. */
  async join({ group, device }) {
    const socket = dgram.createSocket('udp6');
    await new Promise((resolve) => socket.bind(0, resolve));
    socket.addMembership(group, `::%${device}`);
    servers.set(`group/${group}`, socket);
  },
  async received({ handle }) {
    return held.get(handle).received;
  },
  /**
   * Sends over a held flow every `every` milliseconds (listens only where it is 0) until nothing has come back for
   * `quiet` milliseconds, `limit` at most; when (wall clock, milliseconds) the last answer came, 0 for never.
   */
  async pulse({ handle, every = 20, quiet = 1200, limit = 20_000 }) {
    const flow = held.get(handle);
    const start = Date.now();
    const timer = every > 0 ? setInterval(() => flow.send('pulse'), every) : undefined;
    while (Date.now() - Math.max(flow.at ?? 0, start) < quiet && Date.now() - start < limit) await sleep(20);
    clearInterval(timer);
    return flow.at ?? 0;
  },
  /** Ends a held flow. */
  async release({ handle }) {
    const { socket } = held.get(handle);
    held.delete(handle);
    if (socket.destroy) socket.destroy();
    else socket.close();
  },
  /** One knock after the other. TCP: a SYN. `pause` milliseconds between packets. */
  async knock({ address, knocks, pause = 20, source, payload = '' }) {
    for (const [index, { protocol, port }] of knocks.entries()) {
      if (index > 0) await sleep(pause);
      await one({ protocol, port, address, source, payload });
    }
  },
  /** Knocks by UDP from a source of its own, then tries a TCP port a few times from there: whether it ever opened. */
  async knockAndTry({ address, knocks, source, port, tries = 3 }) {
    const socket = dgram.createSocket('udp4');
    await new Promise((resolve) => socket.bind(0, source, resolve));
    for (const knock of knocks) {
      await new Promise((resolve) => socket.send('', knock.port, address, resolve));
      await sleep(3);
    }
    socket.close();
    for (let n = 0; n < tries; n++) {
      await sleep(20 * 5 ** n);
      if ((await commands.tcp({ address, port, source, timeout: 150 })) === 'open') return true;
    }
    return false;
  },
  /** Every port of a span, in order. */
  async sweep({ address, protocol, first, last, source, times = 1 }) {
    const ports = Array.from({ length: Math.abs(last - first) + 1 }, (_, i) => (first < last ? first + i : first - i));
    const udp = dgram.createSocket(net.isIPv6(address) ? 'udp6' : 'udp4');
    await new Promise((resolve) => udp.bind(0, source, resolve));
    for (let round = 0; round < times; round++) {
      for (let start = 0; start < ports.length; start += 250) {
        await Promise.all(
          ports
            .slice(start, start + 250)
            .map((port) =>
              protocol === 'udp'
                ? new Promise((resolve) => udp.send('', port, address, resolve))
                : one({ protocol, port, address, source }),
            ),
        );
      }
    }
    udp.close();
    return ports.length * times;
  },
  /** The first packet of each stream, then the second of each, and so on: `streams: [{ source, knocks: [{ protocol, port }] }]`. */
  async streams({ address, streams, copies = 1, pause = 10 }) {
    const longest = Math.max(...streams.map(({ knocks }) => knocks.length));
    for (let round = 0; round < longest; round++) {
      const packets = streams.flatMap(({ source, knocks }) => {
        const knock = knocks[round];
        return knock === undefined ? [] : Array.from({ length: copies }, () => one({ ...knock, address, source }));
      });
      await Promise.all(packets);
      await sleep(pause);
    }
  },
  /** What a TCP port says to each of one's own addresses. */
  async tcpFrom({ sources, ...options }) {
    return await Promise.all(sources.map((source) => commands.tcp({ ...options, source })));
  },
  /** IP packets, made by the caller, to a machine of the wire: each as hex, with or without sense. */
  async raw({ packets, mac, times = 1 }) {
    const { sendPackets } = await import('./raw-sender.mjs');
    return await sendPackets({ packets, mac, times });
  },
  /** So many random and bent packets to another machine (../fuzz/pool-packets.mjs); how many left, by their kind. */
  async fuzz({ mac, count, ...options }) {
    const { sendRandomPackets } = await import('../fuzz/pool-packets.mjs');
    return await sendRandomPackets({ mac, count, ...options });
  },
  /** Serves names (../dns/server.mjs), on port 53 unless told otherwise. */
  async dnsListen({ address, port = 53 }) {
    const { DnsServer } = await import('../dns/server.mjs');
    dnsServer = new DnsServer();
    return await dnsServer.listen(port, address);
  },
  async dnsSet({ name, says }) {
    dnsServer.set(name, says);
  },
  async dnsDie({ isDead }) {
    dnsServer.die(isDead);
  },
  async dnsAsked({ name }) {
    return dnsServer.asked(name);
  },
  /** Does something on the telephone (../phone/sip-commands.mjs). */
  async sip({ does, ...options }) {
    const { sipCommands } = await import('../phone/sip-commands.mjs');
    return await sipCommands[does](options);
  },
};

async function one({ protocol, port, address, source, payload = '' }) {
  if (protocol === 'udp') {
    const socket = dgram.createSocket(net.isIPv6(address) ? 'udp6' : 'udp4');
    if (source) await new Promise((resolve) => socket.bind(0, source, resolve));
    await new Promise((resolve) => socket.send(Buffer.from(payload), port, address, resolve));
    socket.close();
    return;
  }
  const socket = net.connect({ host: address, port, ...(source ? { localAddress: source } : {}) });
  socket.on('error', () => {});
  await sleep(2);
  socket.destroy();
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, command, ...options } = JSON.parse(line);
  Promise.resolve()
    .then(() => commands[command](options))
    .then(
      (result) => process.stdout.write(`${JSON.stringify({ id, result: result ?? null })}\n`),
      (error) => process.stdout.write(`${JSON.stringify({ id, error: String(error?.stack ?? error) })}\n`),
    );
}
process.exit(0);
