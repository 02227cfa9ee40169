import type { StrikeLimit } from '../core/knock/strikes.js';
import { formatPortRange, formatPortSpan } from '../core/ports.js';
import { PROVIDER_PROTOCOLS } from '../core/provider.js';
import type { Scope } from '../core/service.js';
import { formatDuration } from '../core/time.js';
import type { Config, PhoneConfig, ProvidersConfig, TrustedAddress, TrustedName } from './config.js';
import { flow } from './flow.js';
import { USUAL_PROVIDER_PORTS } from './tracked-schema.js';

/** The column that comments stand in where the line leaves room. */
const COMMENT_COLUMN = 26;

const HEAD = `# The configuration of Sallyport. Unknown keys are errors; \`sallyport check\` says what is wrong and where.
# Every key is described in docs/configuration.md. Durations are written like 90s, 15m, 8h or 2d.
`;

/**
 * The configuration as a file with short comments. `parseConfig` of it gives an equal configuration; every key is
 * written out; `phone` only where it was configured, and `providers` only where it says something or there are some.
 */
export function printConfig(config: Config): string {
  const { services, firewall, trusted, names, providers, knock, grants, phone, control, log, journal, state } = config;
  const lines = [
    line('version', 1),
    comment('services:', 'the sets of ports that can be opened'),
    ...[...services].map(([name, ports]) => line(`  ${flow(name)}`, ports.map(formatPortRange))),
    'firewall:',
    line('  driver', firewall.driver, 'nftables | none'),
    line('  policy', firewall.policy, 'guard: close the services below | lockdown: close everything'),
    line('  guard', firewall.guard),
    line('  forward', firewall.forward, 'lockdown: whose own connections are forwarded'),
    line('  on_expiry', firewall.onExpiry, 'cut | drain: stop live connections, or let them finish'),
    line('  provisional', formatDuration(firewall.provisional), 'how long the first guard holds unless confirmed'),
    line('  rescue', firewall.rescue, 'after three boots in ten minutes, wait five before closing'),
    comment('trusted:', 'let in without a knock'),
    line('  interfaces', trusted.interfaces, trusted.interfaces.length === 0 ? 'such as [wg0]' : undefined),
    ...items('  addresses', trusted.addresses.map(address), '{address: 203.0.113.0/28, services: all, note: office}'),
    ...items('  names', trusted.names.map(hostName), '{name: home.example.org, services: [ssh]}'),
    line('  providers', trusted.providers, 'VoIP providers; see sallyport provider list'),
    comment('names:', 'how trusted names are looked up'),
    line('  schedule', names.schedule, 'a cron expression: when all of them are'),
    line('  servers', names.servers, names.servers.length === 0 ? 'those of /etc/resolv.conf' : undefined),
    line('  nxdomain_after', formatDuration(names.nxdomainAfter), 'no such name for so long: it is dropped'),
    line('  max_addresses', names.maxAddresses, 'of each family, that one name may bring'),
    ...(trusted.providers.length > 0 || isUnusual(providers) ? providerLines(providers) : []),
    'knock:',
    line('  source', knock.source, 'kernel | socket'),
    line('  socket_protocols', knock.socketProtocols, 'what source: socket listens to'),
    line('  pool', formatPortSpan(knock.pool), 'sequences are drawn from these ports'),
    line('  window', formatDuration(knock.window), 'the longest time between two packets'),
    line('  strikes', strikes(knock.strikes), 'wrong packets in a minute; or off'),
    line('  nflog_group', knock.nflogGroup),
    'grants:',
    line('  ttl', formatDuration(grants.ttl), 'how long a knock opens'),
    line('  max_ttl', formatDuration(grants.maxTtl), 'the longest that anyone may have'),
    line('  ipv6_prefix', grants.ipv6Prefix, '128 | 64: the address alone, or its network'),
    ...(phone.configured ? phoneLines(phone) : []),
    'control:',
    line('  socket', control.socket),
    'log:',
    line('  level', log.level, 'trace | debug | info | warn | error'),
    'journal:',
    line('  keep', formatDuration(journal.keep), 'how long it is remembered who was let in'),
    'state:',
    line('  directory', state.directory),
  ];
  return `${HEAD}${lines.join('\n')}\n`;
}

function strikes(limit: StrikeLimit | null): string | object {
  return limit === null ? 'off' : { limit: limit.wrong, ignore: formatDuration(limit.ignoreFor) };
}

function providerLines({ catalogue, ports }: ProvidersConfig): string[] {
  return [
    comment('providers:', 'what is opened to VoIP providers'),
    ...(catalogue === null ? [] : [line('  catalogue', catalogue)]),
    comment('  ports:', 'where this host takes what they send'),
    ...PROVIDER_PROTOCOLS.map((one) => line(`    ${one}`, ports[one].map(formatPortRange))),
  ];
}

function isUnusual({ catalogue, ports }: ProvidersConfig): boolean {
  const differs = PROVIDER_PROTOCOLS.some(
    (one) => ports[one].map(formatPortRange).join() !== USUAL_PROVIDER_PORTS[one].join(),
  );
  return catalogue !== null || differs;
}

function phoneLines({ extension, driver, language, ari, ami }: PhoneConfig): string[] {
  const { url, app, username, passwordFile } = ari;
  return [
    comment('phone:', 'the telephone menu'),
    line('  extension', extension),
    line('  driver', driver, 'ari | ami'),
    line('  language', language),
    line('  ari', { url, app, username, password_file: passwordFile }),
    line('  ami', {
      host: ami.host,
      port: ami.port,
      username: ami.username,
      secret_file: ami.secretFile,
      user_events: ami.userEvents,
    }),
  ];
}

function address({ target, services, note }: TrustedAddress): string | object {
  if (note === null && scope(services) === 'all') return target;
  return { address: target, services: scope(services), ...(note === null ? {} : { note }) };
}

function hostName({ name, services, note }: TrustedName): object {
  return { name, services: scope(services), ...(note === null ? {} : { note }) };
}

function scope(services: Scope): string | Scope {
  return services.length === 1 && services[0] === 'all' ? 'all' : services;
}

function items(key: string, values: readonly (string | object)[], remark: string): string[] {
  if (values.length === 0) return [line(key, [], remark)];
  return [comment(`${key}:`, remark), ...values.map((value) => `    - ${flow(value)}`)];
}

function line(key: string, value: unknown, remark?: string): string {
  const text = `${key}: ${flow(value)}`;
  return remark === undefined ? text : comment(text, remark);
}

function comment(text: string, remark: string): string {
  return `${text.padEnd(COMMENT_COLUMN - 1)} # ${remark}`;
}
