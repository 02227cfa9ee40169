/** knockd 0.8 as its users run it: it sees the sequence through libpcap and starts a command that opens the port. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasProgram } from '../lib/apt.mjs';
import { exitCode } from '../lib/namespaces.mjs';
import { peerLibraries } from '../lib/peers.mjs';

const READY_BOUND_MS = 5000;

/** Ways to open the port: how it is guarded, and the command that lets an address in. */
const WAYS = {
  'nft add element': {
    needs: 'nft',
    guard: (port) => `table inet knockd {
  set open { type ipv4_addr; flags timeout; timeout 1h; }
  chain input { type filter hook input priority 0; udp dport ${port} ip saddr @open accept; udp dport ${port} drop; }
}`,
    command: () => 'nft add element inet knockd open { %IP% }',
  },
  'iptables -I': {
    needs: 'iptables',
    guard: (port) => ['iptables', '-A', 'INPUT', '-p', 'udp', '--dport', String(port), '-j', 'DROP'],
    command: (port) => `iptables -I INPUT -s %IP% -p udp --dport ${port} -j ACCEPT`,
  },
};

export class Knockd {
  #machine;
  #folder;
  #directory;
  #knocks;
  #port;
  #way;
  #child;
  #ended;

  /** The ways to open that this host has the programs for. */
  static ways() {
    return Object.keys(WAYS).filter((way) => hasProgram(WAYS[way].needs));
  }

  /** @param {{machine, folder: string, directory: string, knocks: number[], port: number}} options */
  constructor({ machine, folder, directory, knocks, port }) {
    this.#machine = machine;
    this.#folder = folder;
    this.#directory = directory;
    this.#knocks = knocks;
    this.#port = port;
  }

  /** Guards the port and starts the daemon; resolves when it listens. */
  async start(way) {
    this.#way = way;
    const { guard, command } = WAYS[way];
    const rules = guard(this.#port);
    if (typeof rules === 'string') await this.#machine.mustRun('nft', [rules]);
    else await this.#machine.mustRun(rules[0], rules.slice(1));
    const file = join(this.#directory, 'knockd.conf');
    const sequence = this.#knocks.map((knock) => `${knock}:udp`).join(',');
    const lines = ['[open]', `sequence = ${sequence}`, 'seq_timeout = 10', `command = ${command(this.#port)}`];
    writeFileSync(file, `[options]\n${lines.join('\n')}\n`);
    const env = { LD_LIBRARY_PATH: peerLibraries(this.#folder) };
    const argv = ['-i', 'eth0', '-c', file];
    this.#child = this.#machine.spawn(join(this.#folder, 'usr', 'sbin', 'knockd'), argv, { env, stdio: 'ignore' });
    this.#ended = exitCode(this.#child);
    await this.#listening();
  }

  /** Ends it and takes its guard down. */
  async stop() {
    this.#child.kill('SIGTERM');
    await this.#ended;
    if (this.#way === 'nft add element') await this.#machine.mustRun('nft', ['delete table inet knockd']);
    else await this.#machine.mustRun('iptables', ['-F', 'INPUT']);
  }

  /** It listens when it has bound a packet socket. */
  async #listening() {
    for (const end = performance.now() + READY_BOUND_MS; performance.now() < end; ) {
      const sockets = await this.#machine.mustRun('cat', ['/proc/net/packet']);
      if (sockets.trim().split('\n').length > 1) return await sleep(50);
      await sleep(20);
    }
    throw new Error('knockd does not listen');
  }
}
