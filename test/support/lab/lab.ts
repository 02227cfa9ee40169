import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DaemonOptions, LabDaemon } from './daemon.js';
import { LabHost, mustRun, run } from './host.js';

/*
 * The lab: four machines on one wire, each a network namespace of its own.
 *
 *   laptop    .2 ──┐
 *   stranger  .3 ──┼── bridge ── gateway .1    10.77.0.0/24 and fd77::/64
 *   phone     .4 ──┘
 */
export class Lab {
  readonly gateway: LabHost;
  readonly laptop: LabHost;
  readonly stranger: LabHost;
  readonly phone: LabHost;
  readonly directory: string;
  readonly #wire: string;
  readonly #daemons: LabDaemon[] = [];
  readonly #behind: LabHost[] = [];

  static async create(): Promise<Lab> {
    const name = `${process.env.LAB_PREFIX ?? 'sp'}${randomBytes(3).toString('hex')}`;
    const directory = await mkdtemp(join(tmpdir(), 'sallyport-lab-'));
    const lab = new Lab(name, directory);
    try {
      await lab.#build();
    } catch (error) {
      await lab.destroy();
      throw error;
    }
    return lab;
  }

  private constructor(name: string, directory: string) {
    const host = (role: string, n: number) => new LabHost(`${name}-${role}`, `10.77.0.${n}`, `fd77::${n}`);
    this.#wire = `${name}-wire`;
    this.directory = directory;
    this.gateway = host('gateway', 1);
    this.laptop = host('laptop', 2);
    this.stranger = host('stranger', 3);
    this.phone = host('phone', 4);
  }

  get hosts(): LabHost[] {
    return [this.gateway, this.laptop, this.stranger, this.phone, ...this.#behind];
  }

  /** A gateway daemon in the gateway's namespace; not yet started. */
  daemon(options: DaemonOptions = {}): LabDaemon {
    const daemon = new LabDaemon(this.gateway, this.directory, options);
    this.#daemons.push(daemon);
    return daemon;
  }

  /**
   * Gives a machine all of 10.N.0.0/16 and fdN::/64 to speak from, and the gateway the way there; tells the addresses by
   * their number, 1 to 65534.
   */
  async manyAddresses(
    host: LabHost,
    n: number,
  ): Promise<{ ipv4: (index: number) => string; ipv6: (index: number) => string }> {
    for (const line of [
      `-n ${host.namespace} route add local 10.${n}.0.0/16 dev lo`,
      `-n ${host.namespace} -6 route add local fd${n}::/64 dev lo`,
      `netns exec ${host.namespace} sysctl -qw net.ipv6.ip_nonlocal_bind=1`,
      `-n ${this.gateway.namespace} route add 10.${n}.0.0/16 via ${host.ipv4}`,
      `-n ${this.gateway.namespace} -6 route add fd${n}::/64 via ${host.ipv6}`,
    ]) {
      await mustRun('ip', line.split(' '));
    }
    return {
      ipv4: (index) => `10.${n}.${index >> 8}.${index & 255}`,
      ipv6: (index) => `fd${n}::${index.toString(16)}`,
    };
  }

  /** Loads nft rules on the wire itself, where what goes from host to host passes: hosts are the devices p0 to p3. */
  async onTheWire(rules: string): Promise<void> {
    await mustRun('ip', ['netns', 'exec', this.#wire, 'nft', '-f', '-'], { input: rules });
  }

  /** Has the bridge pass IPv6 multicast to members alone; it asks once a second, and forgets whoever is silent for three. */
  async snoop(): Promise<void> {
    const times = 'mcast_query_interval 100 mcast_query_response_interval 50 mcast_membership_interval 300';
    const startup = 'mcast_startup_query_interval 50';
    const options = `mcast_snooping 1 ${times} ${startup} mcast_mld_version 2 mcast_querier 1`;
    await mustRun('ip', `-n ${this.#wire} link set br0 type bridge ${options}`.split(' '));
  }

  /** The multicast groups that the bridge knows members of: a line for each and its port. */
  async groups(): Promise<string[]> {
    return (await mustRun('bridge', ['-n', this.#wire, 'mdb', 'show', 'dev', 'br0'])).split('\n');
  }

  /** Kills the daemons that still run. */
  async endDaemons(): Promise<void> {
    for (const daemon of this.#daemons.splice(0)) await daemon.kill('SIGKILL');
  }

  /**
   * A machine behind the gateway, or behind another one, on a wire of its own, with that as its router: `.2` of the /24 and the
   * /64 of which the router has `.1`.
   */
  async behind(role: string, networks: { ipv4: string; ipv6: string }, router = this.gateway): Promise<LabHost> {
    const namespace = this.gateway.namespace.replace(/gateway$/, role);
    const host = new LabHost(namespace, `${networks.ipv4}2`, `${networks.ipv6}2`);
    this.#behind.push(host);
    const lines = [
      `netns add ${namespace}`,
      `-n ${router.namespace} link add ${role} type veth peer name eth0 netns ${namespace}`,
      `-n ${router.namespace} link set ${role} up`,
      `-n ${router.namespace} address add ${networks.ipv4}1/24 dev ${role}`,
      `-n ${router.namespace} address add ${networks.ipv6}1/64 dev ${role} nodad`,
      `-n ${namespace} link set lo up`,
      `-n ${namespace} link set eth0 up`,
      `-n ${namespace} address add ${host.ipv4}/24 dev eth0`,
      `-n ${namespace} address add ${host.ipv6}/64 dev eth0 nodad`,
      `-n ${namespace} route add default via ${networks.ipv4}1`,
      `-n ${namespace} -6 route add default via ${networks.ipv6}1`,
      `netns exec ${router.namespace} sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1`,
    ];
    for (const line of lines) await mustRun('ip', line.split(' '));
    host.start();
    return host;
  }

  async destroy(): Promise<void> {
    await this.endDaemons();
    for (const host of this.hosts) await host.stop();
    for (const namespace of [...this.hosts.map((host) => host.namespace), this.#wire]) {
      await run('ip', ['netns', 'delete', namespace]);
    }
    await rm(this.directory, { recursive: true, force: true });
  }

  async #build(): Promise<void> {
    const lines = [
      `netns add ${this.#wire}`,
      `-n ${this.#wire} link add br0 type bridge`,
      `-n ${this.#wire} link set br0 up`,
    ];
    for (const [index, { namespace, ipv4, ipv6 }] of this.hosts.entries()) {
      lines.push(
        `netns add ${namespace}`,
        `-n ${this.#wire} link add p${index} type veth peer name eth0 netns ${namespace}`,
        `-n ${this.#wire} link set p${index} master br0 up`,
        `-n ${namespace} link set lo up`,
        `-n ${namespace} link set eth0 up`,
        `-n ${namespace} address add ${ipv4}/24 dev eth0`,
        `-n ${namespace} address add ${ipv6}/64 dev eth0 nodad`,
      );
    }
    for (const line of lines) await mustRun('ip', line.split(' '));
    for (const host of this.hosts) host.start();
  }
}

/** Waits until a condition holds, looking often; fails when it does not within the bound (milliseconds). */
export async function eventually<T>(
  look: () => Promise<T> | T,
  holds: (value: T) => boolean,
  bound = 5000,
): Promise<T> {
  const end = performance.now() + bound;
  for (;;) {
    const value = await look();
    if (holds(value)) return value;
    if (performance.now() > end) throw new Error(`not within ${bound} ms; the last seen: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** `tcp/21234,udp/28111` as steps. */
export function steps(text: string): { protocol: 'tcp' | 'udp'; port: number }[] {
  return text.split(',').map((one) => {
    const [protocol, port] = one.split('/');
    return { protocol: protocol as 'tcp' | 'udp', port: Number(port) };
  });
}
