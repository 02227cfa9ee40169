import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { Config } from '../../src/config/config.ts';
import { defaultConfig } from '../../src/config/defaults.ts';
import { notices } from '../../src/config/notices.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { poolProblems } from '../../src/config/pool.ts';
import { printConfig } from '../../src/config/print.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { toPort } from '../../src/core/ports.ts';
import { SERVICE_NAME } from '../../src/core/service.ts';
import { formatDuration, millis } from '../../src/core/time.ts';
import { LEAST, SAMPLE } from '../support/config-sample.ts';

function read(text: string): Config {
  const result = parseConfig(text, 'f');
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'));
  return result.config;
}

/** Any file that loads, as the data it is written from. */
const file = fc
  .uniqueArray(
    fc.stringMatching(SERVICE_NAME).filter((name) => name !== 'all'),
    { minLength: 1, maxLength: 4 },
  )
  .chain((names) => {
    const length = (min: number, max: number) => fc.integer({ min, max }).map((ms) => formatDuration(millis(ms)));
    const text = (maxLength: number) =>
      fc
        .string({ unit: 'grapheme', minLength: 1, maxLength })
        .filter((value) => !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(value));
    const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
    const some = <T extends object>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
      maybe(fc.record(shape, { requiredKeys: [] }));
    const scope = fc.oneof(fc.constant('all'), fc.uniqueArray(fc.constantFrom(...names), { minLength: 1 }));
    const address = fc.oneof(
      fc
        .tuple(fc.integer({ min: 1, max: 126 }), fc.nat(255), fc.integer({ min: 8, max: 24 }))
        .map(([a, b, bits]) => (bits < 16 ? `${a}.0.0.0/8` : `${a}.${b}.0.0/${bits}`)),
      fc.ipV6().filter((value) => /^[23]/.test(value) && !value.includes('.')),
    );
    const name = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/).filter((word) => word !== 'general');
    const host = fc.domain().filter((name) => name.length < 64);
    const path = fc.stringMatching(/^\/[ -~]{0,60}$/);
    const ports = fc
      .integer({ min: 1, max: 9000 })
      .chain((port) =>
        fc
          .tuple(fc.constantFrom('tcp', 'udp'), fc.integer({ min: port, max: 9500 }))
          .map(([protocol, last]) => `${protocol}/${port}${last === port ? '' : `-${last}`}`),
      );
    return fc.record(
      {
        version: fc.constant(1),
        services: fc
          .tuple(...names.map(() => ports))
          .map((all) => Object.fromEntries(names.map((name, i) => [name, [all[i]]]))),
        firewall: some({
          driver: fc.constant('nftables'),
          guard: scope,
          on_expiry: fc.constantFrom('cut', 'drain'),
          provisional: fc.constantFrom('2s', '1h'),
          rescue: fc.boolean(),
        }),
        trusted: some({
          interfaces: fc.array(fc.stringMatching(/^[a-z][a-z0-9.@-]{0,13}\*?$/), { maxLength: 3 }),
          addresses: fc.array(
            fc.oneof(address, fc.record({ address, services: scope, note: text(40) }, { requiredKeys: ['address'] })),
            { maxLength: 4 },
          ),
          names: fc.array(fc.record({ name: host, services: scope, note: text(40) }, { requiredKeys: ['name'] }), {
            maxLength: 2,
          }),
          providers: fc.array(fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,20}$/), { maxLength: 3 }),
        }),
        providers: some({
          catalogue: path,
          ports: some({ sip: fc.constantFrom(['udp/5160'], []), rtp: fc.constant(['udp/30000-31000']) }),
        }),
        names: some({
          schedule: fc.constantFrom('* * * * *', '*/5 0-23/2 1,15 * 1-5', '30 */10 * * * *'),
          servers: fc.array(fc.constantFrom('192.0.2.53', '192.0.2.53:5353', '2001:db8::53', '[2001:db8::53]:53'), {
            maxLength: 8,
          }),
          nxdomain_after: length(1000, 86_400_000),
          max_addresses: fc.integer({ min: 1, max: 256 }),
        }),
        knock: some({
          source: fc.constantFrom('kernel', 'socket'),
          socket_protocols: fc.constantFrom(['udp'], ['tcp'], ['udp', 'tcp']),
          pool: fc
            .tuple(fc.integer({ min: 10_000, max: 30_000 }), fc.integer({ min: 999, max: 30_000 }))
            .map(([a, n]) => `${a}-${a + n}`),
          window: length(1000, 60_000),
          strikes: fc.oneof(
            fc.constantFrom('off', false),
            fc.record({ limit: fc.integer({ min: 5, max: 10_000 }), ignore: fc.constantFrom('10s', '10m', '1d') }),
          ),
          nflog_group: fc.integer({ min: 1, max: 65535 }),
        }),
        grants: maybe(
          fc
            .tuple(length(1000, 1e6), length(1e6, 2_592_000_000), fc.constantFrom(64, 128))
            .map(([ttl, max_ttl, ipv6_prefix]) => ({ ttl, max_ttl, ipv6_prefix })),
        ),
        phone: some({
          extension: fc.stringMatching(/^\d{1,20}$/),
          driver: fc.constantFrom('ari', 'ami'),
          language: fc.constantFrom('en', 'pt_BR'),
          ari: fc.record(
            {
              app: name,
              username: name,
              password_file: path,
              url: fc.constant('https://pbx.example:8089/x?y#z'),
            },
            { requiredKeys: [] },
          ),
          ami: fc.record({ host, port: fc.integer({ min: 1, max: 65535 }), secret_file: path }, { requiredKeys: [] }),
        }),
        control: some({ socket: path }),
        log: some({ level: fc.constantFrom('trace', 'debug', 'info', 'warn', 'error') }),
        journal: some({ keep: length(86_400_000, 1e11) }),
        state: some({ directory: path }),
      },
      { requiredKeys: ['version', 'services'] },
    );
  });

describe('a printed configuration', () => {
  it('reads back equal', () => {
    fc.assert(
      fc.property(file, (data) => {
        const config = read(stringify(data));
        const printed = printConfig(config);
        expect(read(printed)).toEqual(config);
        expect(printConfig(read(printed))).toBe(printed);
      }),
      { numRuns: 100 },
    );
  });

  it('reads back equal for the example and for the least', () => {
    for (const text of [SAMPLE, LEAST]) expect(read(printConfig(read(text)))).toEqual(read(text));
  });

  it('has the phone section only where the file has one', () => {
    expect(printConfig(read(SAMPLE))).toContain('\nphone:');
    expect(printConfig(read(LEAST))).not.toContain('phone');
  });
});

describe('the configuration that set-up writes', () => {
  it('guards ssh on its real ports', () => {
    const config = defaultConfig({ sshPorts: [2222, 22] });
    expect([...config.services]).toEqual([
      ['ssh', [2222, 22].map((port) => ({ protocol: 'tcp', first: port, last: port }))],
    ]);
    expect(config.firewall.guard).toEqual(['ssh']);
    expect(read(printConfig(config))).toEqual(config);
  });

  it('has web and sip where they are wanted, and guards what it is told to', () => {
    const config = defaultConfig({ sshPorts: [], web: true, sip: true, guard: ['ssh', 'sip'], trusted: ['192.0.2.7'] });
    expect([...config.services.keys()]).toEqual(['ssh', 'sip', 'web']);
    expect(config.firewall.guard).toEqual(['ssh', 'sip']);
    expect(config.trusted.addresses).toEqual([{ target: '192.0.2.7', services: ['all'], note: null }]);
  });

  it('moves the pool clear of an sshd that listens in it', () => {
    expect(defaultConfig({ sshPorts: [22222] }).knock.pool).toEqual({ first: 22223, last: 29999 });
    expect(defaultConfig({ sshPorts: [29000, 22, 21000] }).knock.pool).toEqual({ first: 21001, last: 28999 });
  });

  it('takes the paths that it is given', () => {
    const config = defaultConfig({ sshPorts: [22], socket: '/tmp/a.sock', stateDirectory: '/tmp/b' });
    expect([config.control.socket, config.state.directory]).toEqual(['/tmp/a.sock', '/tmp/b']);
  });

  it('refuses what makes no configuration', () => {
    expect(() => defaultConfig({ sshPorts: [22], guard: ['web'] })).toThrow(
      expect.objectContaining({ code: 'SP_CONFIG_INVALID', message: expect.stringContaining('no service "web"') }),
    );
    expect(() => defaultConfig({ sshPorts: [0] })).toThrow(expect.objectContaining({ code: 'SP_PORT_INVALID' }));
  });
});

describe('the remarks', () => {
  it('name what the file asks for and this version does not do', () => {
    expect(notices(read(SAMPLE))).toEqual([]);
    expect(notices(read(LEAST))).toEqual([]);
  });

  it('name what sockets show to strangers, and that nothing is closed without a packet filter', () => {
    const sockets = 'knock: {source: socket, socket_protocols: [tcp, udp]}\n';
    const shown = 'knock.socket_protocols: every TCP port of the pool looks open to strangers';
    expect(notices(read(`${LEAST}${sockets}`))).toEqual([shown]);
    expect(notices(read(`${LEAST}firewall: {driver: none, guard: all}\n${sockets}`))).toEqual([
      'firewall.driver: none closes nothing; anybody reaches every port, with a knock or without',
      shown,
    ]);
    expect(notices(read(`${LEAST}firewall: {driver: none}\nknock: {source: socket}\n`))).toHaveLength(1);
  });

  it('name nothing as open under lockdown', () => {
    expect(notices(read(`${LEAST}  web: [tcp/80]\nfirewall: {policy: lockdown, guard: [ssh]}\n`))).toEqual([]);
  });

  it('name what stays open', () => {
    const config = read(`${LEAST}  web: [tcp/80]\nfirewall: {guard: [ssh]}\ntrusted: {addresses: [0.0.0.0/0]}\n`);
    expect(notices(config)).toEqual([
      'firewall.guard: web is not guarded; it stays as open as it is',
      'trusted.addresses: 0.0.0.0/0 lets everyone in to all',
    ]);
  });
});

it('a pool that overlaps the local port range is a problem', () => {
  const span = (first: number, last: number) => ({ first: toPort(first), last: toPort(last) });
  expect(poolProblems(span(21000, 29999), span(32768, 60999))).toEqual([]);
  expect(poolProblems(span(21000, 29999), span(29999, 60999))).toEqual([
    expect.stringContaining('21000-29999 overlaps the local port range 29999-60999'),
  ]);
});
