/** knockd 0.8 as its users run it: it sees the sequence through libpcap and starts a command that opens the port. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exitCode } from '../lib/namespaces.mjs';
import { peerLibraries } from '../lib/peers.mjs';
import { listening } from './listening.mjs';

const NFT = 'nft add element';
const IPTABLES = 'iptables -I';

export class Knockd {
  #machine;
  #folder;
  #directory;
  #knocks;
  #port;
  #iptables;
  #way;
  #child;
  #ended;

  /** @returns {Knockd | undefined} undefined where it was not fetched */
  static find(options) {
    const { folder } = options;
    return folder !== undefined && existsSync(programOf(folder)) ? new Knockd(options) : undefined;
  }

  /** @param {{machine, folder: string, directory: string, knocks: number[], port: number, iptables?: object}}
   *   options */
  constructor({ machine, folder, directory, knocks, port, iptables }) {
    this.#machine = machine;
    this.#folder = folder;
    this.#directory = directory;
    this.#knocks = knocks;
    this.#port = port;
    this.#iptables = iptables;
  }

  /** The ways to open that there are programs for. */
  get ways() {
    return this.#iptables === undefined ? [NFT] : [NFT, IPTABLES];
  }

  /** Guards the port and starts the daemon; resolves when it listens. */
  async start(way) {
    this.#way = way;
    const command = way === NFT ? await this.#guardByNft() : await this.#guardByIptables();
    const file = join(this.#directory, 'knockd.conf');
    const sequence = this.#knocks.map((knock) => `${knock}:udp`).join(',');
    const lines = ['[open]', `sequence = ${sequence}`, 'seq_timeout = 10', `command = ${command}`];
    writeFileSync(file, `[options]\n${lines.join('\n')}\n`);
    const env = { LD_LIBRARY_PATH: peerLibraries(this.#folder) };
    const argv = [programOf(this.#folder), '-i', 'eth0', '-c', file];
    const [program, ...args] = way === NFT ? argv : this.#iptables.around(argv);
    this.#child = this.#machine.spawn(program, args, { env, stdio: 'ignore' });
    this.#ended = exitCode(this.#child);
    await listening(this.#machine, 'knockd');
  }

  /** Ends it and takes its guard down. */
  async stop() {
    this.#child.kill('SIGTERM');
    await this.#ended;
    if (this.#way === NFT) await this.#machine.mustRun('nft', ['delete table inet knockd']);
    else await this.#iptables.run(this.#machine, '-F', 'INPUT');
  }

  async #guardByNft() {
    await this.#machine.mustRun('nft', [
      `table inet knockd {
  set open { type ipv4_addr; flags timeout; timeout 1h; }
  chain input { type filter hook input priority 0; udp dport ${this.#port} ip saddr @open accept; udp dport ${this.#port} drop; }
}`,
    ]);
    return 'nft add element inet knockd open { %IP% }';
  }

  async #guardByIptables() {
    await this.#iptables.run(this.#machine, '-A', 'INPUT', '-p', 'udp', '--dport', String(this.#port), '-j', 'DROP');
    return `${this.#iptables.program} -I INPUT -s %IP% -p udp --dport ${this.#port} -j ACCEPT`;
  }
}

function programOf(folder) {
  return join(folder, 'usr', 'sbin', 'knockd');
}
