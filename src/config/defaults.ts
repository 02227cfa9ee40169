import { parseTarget } from '../core/address.js';
import { formatPortSpan, inSpan, type PortSpan, parsePortSpan, toPort } from '../core/ports.js';
import type { Config } from './config.js';
import { invalidConfig } from './load.js';
import { parseConfig } from './parse.js';

export interface DefaultOptions {
  /** The ports on which sshd listens; 22 where there are none. They become the service `ssh`. */
  readonly sshPorts: readonly number[];
  /** Whether to have a service `web`: TCP 80 and 443. */
  readonly web?: boolean;
  /** Whether to have a service `sip`: SIP over UDP and TLS, and RTP. */
  readonly sip?: boolean;
  /** The services to close to strangers; all of them where it is left out. */
  readonly guard?: readonly string[];
  /** `guard` where it is left out. */
  readonly policy?: Config['firewall']['policy'];
  /** Addresses and CIDRs to let in to everything. */
  readonly trusted?: readonly string[];
  readonly socket?: string;
  readonly stateDirectory?: string;
}

const POOL = parsePortSpan('21000-29999');

/**
 * The configuration that set-up writes. The pool gives way to an sshd that listens inside it.
 * @throws SP_CONFIG_INVALID where the options do not make a configuration, SP_PORT_INVALID, SP_ADDRESS_INVALID,
 * SP_ADDRESS_MAPPED, SP_PREFIX_INVALID
 */
export function defaultConfig(options: DefaultOptions): Config {
  const sshPorts = [...new Set(options.sshPorts.length > 0 ? options.sshPorts : [22])].map(toPort);
  const file = {
    version: 1,
    services: {
      ssh: sshPorts.map((port) => `tcp/${port}`),
      ...(options.sip ? { sip: ['udp/5060', 'tcp/5061', 'udp/10000-20000'] } : {}),
      ...(options.web ? { web: ['tcp/80', 'tcp/443'] } : {}),
    },
    firewall: { policy: options.policy ?? 'guard', guard: options.guard ?? 'all' },
    trusted: { addresses: (options.trusted ?? []).map(parseTarget) },
    knock: { pool: formatPortSpan(clearPool(sshPorts)) },
    control: options.socket === undefined ? {} : { socket: options.socket },
    state: options.stateDirectory === undefined ? {} : { directory: options.stateDirectory },
  };
  // JSON is YAML: what set-up makes passes the very checks that it will meet when it is read.
  const result = parseConfig(JSON.stringify(file), 'the defaults');
  if (result.ok) return result.config;
  throw invalidConfig(result, 'the defaults');
}

/** The widest part of the usual pool that holds none of the ports. */
function clearPool(ports: readonly number[]): PortSpan {
  const walls = [POOL.first - 1, ...ports.filter((port) => inSpan(port, POOL)).sort((a, b) => a - b), POOL.last + 1];
  let best = { first: 0, last: -1 };
  for (const [index, wall] of walls.entries()) {
    const gap = { first: wall + 1, last: (walls[index + 1] ?? wall) - 1 };
    if (gap.last - gap.first > best.last - best.first) best = gap;
  }
  return { first: toPort(best.first), last: toPort(best.last) };
}
