import { type PortRange, PROTOCOLS } from '../core/ports.js';
import { EVERYTHING, type Scope, type ServiceName, type Services, toScope } from '../core/service.js';
import { minutes } from '../core/time.js';
import type { Config, TrustedAddress } from './config.js';
import { deepFreeze, frozenMap } from './freeze.js';
import type { FileValues } from './schema.js';

/** The values of a faultless file as the configuration; `phoneWritten` tells whether the file has a phone section. */
export function toConfig(values: FileValues, phoneWritten: boolean): Config {
  const { firewall, trusted, names, knock, grants, phone } = values;
  const entries = Object.entries(values.services).map(([name, ports]) => [name as ServiceName, ports] as const);
  const services: Services = frozenMap<ServiceName, readonly PortRange[]>(entries);
  return deepFreeze<Config>({
    version: 1,
    services,
    firewall: {
      driver: firewall.driver,
      policy: firewall.policy,
      guard: guarded(firewall.guard, services),
      forward: [...new Set(firewall.forward)],
      onExpiry: firewall.on_expiry,
      provisional: firewall.provisional,
      rescue: firewall.rescue,
    },
    trusted: {
      interfaces: [...new Set(trusted.interfaces)],
      addresses: trusted.addresses.map((item): TrustedAddress => {
        if (typeof item === 'string') return { target: item, services: EVERYTHING, note: null };
        return { target: item.address, services: scope(item.services, services), note: item.note ?? null };
      }),
      names: trusted.names.map((item) => ({
        name: item.name,
        services: scope(item.services, services),
        note: item.note ?? null,
      })),
      providers: [...new Set(trusted.providers)],
    },
    providers: { catalogue: values.providers.catalogue ?? null, ports: values.providers.ports },
    names: {
      schedule: names.schedule,
      servers: [...new Set(names.servers)],
      nxdomainAfter: names.nxdomain_after,
      maxAddresses: names.max_addresses,
    },
    knock: {
      source: knock.source,
      socketProtocols: PROTOCOLS.filter((one) => knock.socket_protocols.includes(one)),
      pool: knock.pool,
      window: knock.window,
      strikes:
        typeof knock.strikes === 'object'
          ? { wrong: knock.strikes.limit, per: minutes(1), ignoreFor: knock.strikes.ignore }
          : null,
      nflogGroup: knock.nflog_group,
    },
    grants: { ttl: grants.ttl, maxTtl: grants.max_ttl, ipv6Prefix: grants.ipv6_prefix },
    phone: {
      configured: phoneWritten,
      extension: phone.extension,
      driver: phone.driver,
      language: phone.language,
      ari: {
        url: phone.ari.url,
        app: phone.ari.app,
        username: phone.ari.username,
        passwordFile: phone.ari.password_file,
      },
      ami: {
        host: phone.ami.host,
        port: phone.ami.port,
        username: phone.ami.username,
        secretFile: phone.ami.secret_file,
        userEvents: phone.ami.user_events,
      },
    },
    control: { socket: values.control.socket },
    log: { level: values.log.level },
    journal: { keep: values.journal.keep },
    state: { directory: values.state.directory },
  });
}

function scope(written: 'all' | readonly ServiceName[], services: Services): Scope {
  return written === 'all' ? EVERYTHING : toScope(written, services);
}

function guarded(written: 'all' | readonly ServiceName[], services: Services): readonly ServiceName[] {
  const wanted = scope(written, services);
  return [...services.keys()].filter((name) => wanted === EVERYTHING || wanted.includes(name));
}
