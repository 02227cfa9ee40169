/**
 * fwknopd 2.6 with Debian's settings but for paths and the interface: it sees one encrypted, authenticated packet through
 * libpcap and opens by iptables. Between two looks at what was captured it sleeps, by default for a tenth of a second.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exitCode } from '../lib/namespaces.mjs';
import { peerLibraries } from '../lib/peers.mjs';
import { listening } from './listening.mjs';

/** Where its packets go, by default. */
export const SPA_PORT = 62201;
const OWNER_ONLY = { mode: 0o600 };

export class Fwknopd {
  #gateway;
  #laptop;
  #folder;
  #directory;
  #port;
  #iptables;
  #env;
  #child;
  #ended;

  /** @returns {Fwknopd | undefined} undefined where it, its client or iptables is not there */
  static find(options) {
    const { folder, iptables } = options;
    if (folder === undefined || iptables === undefined) return undefined;
    return existsSync(daemonOf(folder)) && existsSync(clientOf(folder)) ? new Fwknopd(options) : undefined;
  }

  /** @param {{gateway, laptop, folder: string, directory: string, port: number, iptables}} options */
  constructor({ gateway, laptop, folder, directory, port, iptables }) {
    this.#gateway = gateway;
    this.#laptop = laptop;
    this.#folder = folder;
    this.#directory = directory;
    this.#port = port;
    this.#iptables = iptables;
    this.#env = { LD_LIBRARY_PATH: peerLibraries(folder), HOME: directory };
    this.#writeKeys();
  }

  /** Guards the port and starts the daemon; `loopSleep` in microseconds where it is not the default. */
  async start(loopSleep) {
    await this.#iptables.run(this.#gateway, '-A', 'INPUT', '-p', 'udp', '--dport', String(this.#port), '-j', 'DROP');
    const run = join(this.#directory, 'run');
    mkdirSync(run, { recursive: true });
    const settings = {
      PCAP_INTF: 'eth0',
      FWKNOP_RUN_DIR: run,
      FWKNOP_CONF_DIR: this.#directory,
      FWKNOP_PID_FILE: join(run, 'fwknopd.pid'),
      DIGEST_FILE: join(run, 'digest.cache'),
      FIREWALL_EXE: this.#iptables.program,
      ...(loopSleep === undefined ? {} : { PCAP_LOOP_SLEEP: loopSleep }),
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} ${value};\n`);
    writeFileSync(this.#file('fwknopd.conf'), lines.join(''), OWNER_ONLY);
    const files = ['-c', this.#file('fwknopd.conf'), '-a', this.#file('access.conf')];
    const [program, ...args] = this.#iptables.around([daemonOf(this.#folder), '--foreground', ...files]);
    this.#child = this.#gateway.spawn(program, args, { env: this.#env, stdio: 'ignore' });
    this.#ended = exitCode(this.#child);
    await listening(this.#gateway, 'fwknopd');
  }

  /** Ends it, and it takes its rules with it; then the guard goes too. */
  async stop() {
    this.#child.kill('SIGTERM');
    await this.#ended;
    await this.#iptables.run(this.#gateway, '-F', 'INPUT');
  }

  /** A new packet of its client for an address, made and not sent. */
  async packet(address) {
    const file = this.#file('packet');
    const rc = ['--rc-file', this.#file('fwknoprc'), '--named-config', 'bench', '--no-save-args'];
    await this.#laptop.mustRun(
      clientOf(this.#folder),
      [...rc, '--allow-ip', address, '--test', '--save-packet', file],
      { env: this.#env },
    );
    return readFileSync(file, 'latin1').trim();
  }

  #writeKeys() {
    const [key, hmac] = [32, 64].map((size) => randomBytes(size).toString('base64'));
    const access = ['SOURCE ANY', `OPEN_PORTS udp/${this.#port}`, `KEY_BASE64 ${key}`, `HMAC_KEY_BASE64 ${hmac}`];
    writeFileSync(this.#file('access.conf'), `${access.join('\n')}\nFW_ACCESS_TIMEOUT 30\n`, OWNER_ONLY);
    const client = [
      '[bench]',
      `SPA_SERVER ${this.#gateway.address}`,
      `ACCESS udp/${this.#port}`,
      `KEY_BASE64 ${key}`,
      `HMAC_KEY_BASE64 ${hmac}`,
      'USE_HMAC Y',
    ];
    writeFileSync(this.#file('fwknoprc'), `${client.join('\n')}\n`, OWNER_ONLY);
  }

  #file(name) {
    return join(this.#directory, name);
  }
}

function daemonOf(folder) {
  return join(folder, 'usr', 'sbin', 'fwknopd');
}

function clientOf(folder) {
  return join(folder, 'usr', 'bin', 'fwknop');
}
