import { describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { parsePortRange } from '../../src/core/ports.ts';
import { LEAST, SAMPLE } from '../support/config-sample.ts';

function config(text: string): Config {
  const result = parseConfig(text, 'sallyport.yaml');
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'));
  return result.config;
}

function problems(text: string): string[] {
  const result = parseConfig(text, 'sallyport.yaml');
  return result.ok ? [] : result.problems.map(formatProblem);
}

/** The problems of the least file with more lines after it; the first of them is line 4. */
const added = (lines: string) => problems(LEAST + lines);

describe('the example of the contract', () => {
  it('loads as it is', () => {
    const loaded = config(SAMPLE);
    expect([...loaded.services]).toEqual([
      ['ssh', [{ protocol: 'tcp', first: 22, last: 22 }]],
      [
        'sip',
        [
          { protocol: 'udp', first: 5060, last: 5060 },
          { protocol: 'tcp', first: 5061, last: 5061 },
          { protocol: 'udp', first: 10000, last: 20000 },
        ],
      ],
      [
        'web',
        [
          { protocol: 'tcp', first: 80, last: 80 },
          { protocol: 'tcp', first: 443, last: 443 },
        ],
      ],
    ]);
    expect(loaded.trusted).toEqual({
      interfaces: ['wg0'],
      addresses: [{ target: '203.0.113.0/28', services: ['all'], note: 'head office' }],
      names: [{ name: 'home.example.org', services: ['ssh'], note: null }],
      providers: ['voip.ms'],
    });
    expect(loaded.phone.configured).toBe(true);
  });
});

describe('what is left out', () => {
  it('gets the defaults', () => {
    const { services, ...rest } = config(LEAST);
    expect([...services.keys()]).toEqual(['ssh']);
    expect(rest).toEqual({
      version: 1,
      firewall: {
        driver: 'nftables',
        policy: 'guard',
        guard: ['ssh'],
        forward: ['docker0', 'br-*', 'virbr*', 'lxdbr*', 'lxcbr*', 'podman*', 'cni*'],
        onExpiry: 'cut',
        provisional: 300_000,
        rescue: true,
      },
      trusted: { interfaces: [], addresses: [], names: [], providers: [] },
      providers: {
        catalogue: null,
        ports: {
          sip: ['udp/5060', 'tcp/5060-5061'].map(parsePortRange),
          iax: [parsePortRange('udp/4569')],
          rtp: [parsePortRange('udp/10000-20000')],
        },
      },
      names: { schedule: '*/10 * * * *', servers: [], nxdomainAfter: 86_400_000, maxAddresses: 16 },
      knock: {
        source: 'kernel',
        socketProtocols: ['udp'],
        pool: { first: 21000, last: 29999 },
        window: 10_000,
        strikes: { wrong: 20, per: 60_000, ignoreFor: 600_000 },
        nflogGroup: 864,
      },
      grants: { ttl: 3_600_000, maxTtl: 43_200_000, ipv6Prefix: 128 },
      phone: {
        configured: false,
        extension: '864',
        driver: 'ari',
        language: 'en',
        ari: {
          url: 'http://127.0.0.1:8088',
          app: 'sallyport',
          username: 'sallyport',
          passwordFile: '/etc/sallyport/ari.secret',
        },
        ami: {
          host: '127.0.0.1',
          port: 5038,
          username: 'sallyport',
          secretFile: '/etc/sallyport/ami.secret',
          userEvents: false,
        },
      },
      control: { socket: '/run/sallyport/control.sock' },
      log: { level: 'info' },
      journal: { keep: 90 * 86_400_000 },
      state: { directory: '/var/lib/sallyport' },
    });
  });

  it.each(['firewall', 'trusted', 'knock', 'grants', 'phone', 'control', 'log', 'journal', 'state'])(
    'may be %s with nothing below it, as when its lines are commented out',
    (section) => {
      expect(config(`${LEAST}${section}:\n  # nothing\n`)).toEqual(config(LEAST));
    },
  );

  it('may not be version or services', () => {
    expect(problems('services: {ssh: [tcp/22]}')).toEqual([
      'sallyport.yaml:1 version: it is missing; write version: 1',
    ]);
    expect(problems('version: 1')).toEqual(['sallyport.yaml:1 services: it is missing']);
  });
});

describe('a configuration', () => {
  it('cannot be changed', () => {
    const loaded = config(SAMPLE);
    const seen = new Set<unknown>();
    const check = (value: unknown) => {
      if (typeof value !== 'object' || value === null || seen.has(value)) return;
      seen.add(value);
      expect(Object.isFrozen(value)).toBe(true);
      for (const part of value instanceof Map ? value.values() : Object.values(value)) check(part);
    };
    check(loaded);
    expect(seen.size).toBeGreaterThan(20);
    expect(() => (loaded.services as Map<unknown, unknown>).set('x', [])).toThrow(TypeError);
    expect(() => (loaded.services as Map<unknown, unknown>).clear()).toThrow(TypeError);
    expect([...structuredClone(loaded.services).keys()]).toEqual(['ssh', 'sip', 'web']);
  });

  it('takes all for every service, and a bare address for one with all services', () => {
    const loaded = config(`${LEAST}  web: [tcp/80]\nfirewall: {guard: all}\ntrusted: {addresses: [2001:DB8::0001]}\n`);
    expect(loaded.firewall.guard).toEqual(['ssh', 'web']);
    expect(loaded.trusted.addresses).toEqual([{ target: '2001:db8::1', services: ['all'], note: null }]);
  });

  it('keeps name servers in one form', () => {
    const servers = '[192.0.2.53, "192.0.2.53:5353", "2001:DB8::0053", "[2001:db8::53]:53", 192.0.2.53]';
    expect(config(`${LEAST}names: {servers: ${servers}}`).names.servers).toEqual([
      '192.0.2.53',
      '192.0.2.53:5353',
      '2001:db8::53',
      '[2001:db8::53]:53',
    ]);
  });

  it('keeps host names in lower case without a trailing dot', () => {
    expect(config(`${LEAST}trusted: {names: [{name: Home.Example.ORG.}]}`).trusted.names[0]?.name).toBe(
      'home.example.org',
    );
  });
});

describe('an unknown key', () => {
  it.each([
    ['grants: {tll: 1h}', '4 grants.tll: unknown key "tll"; did you mean ttl?'],
    ['grants:\n  maxttl: 1h', '5 grants.maxttl: unknown key "maxttl"; did you mean max_ttl?'],
    ['fierwall: {}', '4 fierwall: unknown key "fierwall"; did you mean firewall?'],
    ['ttl: 1h', '4 ttl: unknown key "ttl"; did you mean grants.ttl?'],
    ['phone: {ari: {password: hunter2}}', '4 phone.ari.password: unknown key "password"; did you mean password_file?'],
    ['log: {colour: red}', '4 log.colour: unknown key "colour"; known here: level'],
    [
      'trusted: {addresses: [{address: 192.0.2.1, servics: all}]}',
      '4 trusted.addresses[0].servics: unknown key "servics"; did you mean services?',
    ],
  ])('is an error that names the nearest: %s', (lines, expected) => {
    expect(added(lines)).toEqual([`sallyport.yaml:${expected}`]);
  });
});

describe('a value that cannot be', () => {
  it.each([
    ['grants: {ttl: 3x}', 'grants.ttl: "3x" is not a duration (try 90s, 15m, 8h)'],
    ['grants: {ttl: 3600}', 'grants.ttl: 3600 is not a duration (try 90s, 15m, 8h)'],
    ['grants: {ttl: 1:30}', 'grants.ttl: "1:30" is not a duration (try 90s, 15m, 8h)'],
    ['grants: {ttl: 0s}', 'grants.ttl: "0s" is not a duration (try 90s, 15m, 8h)'],
    ['grants: {ttl: 999ms}', 'grants.ttl: "999ms" is not between 1s and 30d'],
    ['grants: {ttl: }', 'grants.ttl: an empty value is not a duration (try 90s, 15m, 8h)'],
    ['grants: {max_ttl: 31d}', 'grants.max_ttl: "31d" is not between 1s and 30d'],
    ['grants: {ipv6_prefix: 48}', 'grants.ipv6_prefix: write 64 or 128'],
    ['knock: {window: 61s}', 'knock.window: "61s" is not between 1s and 1m'],
    ['knock: {window: 900ms}', 'knock.window: "900ms" is not between 1s and 1m'],
    ['knock: {pool: 21000}', 'knock.pool: 21000 is not a range of ports (try 21000-29999)'],
    ['knock: {pool: 29999-21000}', 'knock.pool: "29999-21000" is not a range of ports (try 21000-29999)'],
    ['knock: {pool: 65000-66000}', 'knock.pool: "65000-66000" is not a range of ports (try 21000-29999)'],
    ['knock: {pool: 21000-21998}', 'knock.pool: "21000-21998" has room for 999 ports only; a pool has at least 1000'],
    ['knock: {source: pcap}', 'knock.source: "pcap" is none of: kernel | socket'],
    ['knock: {socket_protocols: []}', 'knock.socket_protocols: name at least one: [udp] or [tcp, udp]'],
    ['knock: {socket_protocols: [icmp]}', 'knock.socket_protocols[0]: "icmp" is none of: tcp | udp'],
    ['knock: {socket_protocols: udp}', 'knock.socket_protocols: expected a list, found "udp"'],
    ['knock: {strikes: on}', 'knock.strikes: write off, or a mapping like {limit: 20, ignore: 10m}'],
    ['knock: {strikes: true}', 'knock.strikes: write off, or a mapping like {limit: 20, ignore: 10m}'],
    ['knock: {strikes: {limit: 4}}', 'knock.strikes.limit: 4 is not a whole number from 5 to 10000'],
    ['knock: {strikes: {limit: 10001}}', 'knock.strikes.limit: 10001 is not a whole number from 5 to 10000'],
    ['knock: {strikes: {ignore: 9s}}', 'knock.strikes.ignore: "9s" is not between 10s and 1d'],
    ['knock: {strikes: {ignore: 25h}}', 'knock.strikes.ignore: "25h" is not between 10s and 1d'],
    ['knock: {strikes: {ignored: 10m}}', 'knock.strikes.ignored: unknown key "ignored"; did you mean ignore?'],
    ['knock: {nflog_group: 0}', 'knock.nflog_group: 0 is not a whole number from 1 to 65535'],
    ['knock: {nflog_group: 65536}', 'knock.nflog_group: 65536 is not a whole number from 1 to 65535'],
    ['knock: {nflog_group: 1.5}', 'knock.nflog_group: 1.5 is not a whole number from 1 to 65535'],
    [
      'knock: {nflog_group: 0x10}',
      'knock.nflog_group: 0x10 is not a plain decimal number; where text is meant, put it in quotes',
    ],
    ['firewall: {driver: ipset}', 'firewall.driver: "ipset" is not available in this version; write nftables or none'],
    [
      'firewall: {driver: command}',
      'firewall.driver: "command" is not available in this version; write nftables or none',
    ],
    [
      'firewall: {driver: none}',
      'firewall.driver: none takes knock.source: socket as well; the kernel recognises knocks by rules, and there are none with firewall.driver: none',
    ],
    [
      'knock: {source: kernel}\nfirewall: {driver: none}',
      'knock.source: the kernel recognises knocks by rules, and there are none with firewall.driver: none; write socket',
    ],
    [
      'phone: {ami: {user_events: true}}',
      'phone.ami.user_events: user events come by AMI alone; write phone.driver: ami, or leave this out',
    ],
    [
      'phone: {driver: ari, ami: {user_events: true}}',
      'phone.ami.user_events: user events come by AMI alone; write phone.driver: ami, or leave this out',
    ],
    ['phone: {driver: ami, ami: {user_events: on call}}', 'phone.ami.user_events: "on call" is neither true nor false'],
    ['firewall: {driver: pf}', 'firewall.driver: "pf" is none of: nftables | none | ipset | command'],
    ['firewall: {guard: [shh]}', 'firewall.guard[0]: there is no service "shh"; did you mean ssh?'],
    ['firewall: {guard: [database]}', 'firewall.guard[0]: there is no service "database"; there are: ssh'],
    ['firewall: {guard: []}', 'firewall.guard: write all, or a list of services such as [ssh, sip], at least one'],
    ['firewall: {guard: ssh}', 'firewall.guard: write all, or a list of services such as [ssh, sip], at least one'],
    ['firewall: {on_expiry: 5}', 'firewall.on_expiry: 5 is none of: cut | drain'],
    ['log: {level: loud}', 'log.level: "loud" is none of: trace | debug | info | warn | error'],
    ['log: debug', 'log: expected a mapping of keys to values, found "debug"'],
    ['journal: {keep: 23h}', 'journal.keep: "23h" is not between 1d and 3650d'],
    ['state: {directory: var}', 'state.directory: "var" is not an absolute path; it must begin with /'],
    [`control: {socket: /${'s'.repeat(107)}}`, 'control.socket: it is longer than 107 characters'],
    [`control: {socket: /${'ü'.repeat(60)}}`, 'control.socket: it is longer than 107 bytes'],
    ['control: {socket: "/run/\\0x"}', 'control.socket: it holds a line break or a control character'],
    [
      'phone: {extension: 864}',
      'phone.extension: 864 is not an extension; write its digits in quotes, like "864", so that leading zeros stay',
    ],
    [
      'phone: {ari: {app: "x,Hangup()"}}',
      'phone.ari.app: "x,Hangup()" is not a name here: up to 64 letters, digits and . _ -; put it in quotes where it is a number',
    ],
    [
      'phone: {language: ../en}',
      'phone.language: "../en" is not a language as Asterisk names its folder of sounds (try en, de, or pt_BR)',
    ],
    ['phone: {ami: {host: a b}}', 'phone.ami.host: "a b" is not a host name or an address'],
    [
      'phone: {ami: {username: "a\\r\\nAction: x"}}',
      'phone.ami.username: "a??Action: x" is not a name here: up to 64 letters, digits and . _ -; put it in quotes where it is a number',
    ],
    [
      'trusted: {addresses: [{address: 192.0.2.1, note: 5}]}',
      'trusted.addresses[0].note: 5 is not text; put it in quotes',
    ],
    [
      'trusted: {names: [{name: 192.0.2.1}]}',
      'trusted.names[0].name: "192.0.2.1" is an address; put it under trusted.addresses',
    ],
    [
      'trusted: {names: [home.example.org]}',
      'trusted.names[0]: expected a mapping like {name: home.example.org, services: [ssh]}, found "home.example.org"',
    ],
    [
      'trusted: {names: [{name: a, services: [sip]}]}',
      'trusted.names[0].services[0]: there is no service "sip"; there are: ssh',
    ],
  ])('is an error with the line, the key and a way out: %s', (lines, expected) => {
    expect(added(lines)).toEqual([`sallyport.yaml:4 ${expected}`]);
  });

  it.each(['a'.repeat(64), '-a', 'a-', 'a..b', 'a_b', 'ü.example', '1.2.3', '', `${'a.'.repeat(126)}ab`])(
    'is the host name "%s"',
    (name) => {
      expect(added(`trusted: {names: [{name: "${name}"}]}`)).toEqual([
        expect.stringMatching(/^sallyport.yaml:4 trusted.names\[0\].name: "[^"]*" is not a host name/),
      ]);
    },
  );

  it.each(['a b', 'a/b', 'a"b', "a'b", 'a*b', '*', 'a**', '', 'x'.repeat(16), 'a?', 'a\\b', '.', '..', '-a', 'a;b'])(
    'is the interface %s',
    (name) => {
      expect(added(`trusted: {interfaces: [${JSON.stringify(name)}]}`)).toEqual([
        expect.stringMatching(/^sallyport.yaml:4 trusted.interfaces\[0\]: .* is not the name of an interface/),
      ]);
    },
  );

  it.each(['wg0', 'wg*', 'enp3s0f1', 'br-0a1b2c3d4e5f', 'eth0.100', 'x'.repeat(15)])(
    'is not the interface %s',
    (name) => {
      expect(config(`${LEAST}trusted: {interfaces: [${name}]}`).trusted.interfaces).toEqual([name]);
    },
  );

  it.each([
    ['127.0.0.1', 'loopback'],
    ['::1', 'loopback'],
    ['0.0.0.0', 'unspecified'],
    ['224.0.0.0/8', 'multicast'],
    ['ff02::1', 'multicast'],
    ['255.255.255.255', 'multicast|broadcast|reserved'],
    ['240.0.0.0/8', 'reserved'],
  ])('is the trusted address %s, which may never be let in', (address, kind) => {
    const expected = expect.stringMatching(new RegExp(`may never be let in: it is or holds .*(${kind})`));
    expect(added(`trusted: {addresses: ["${address}"]}`)).toEqual([expected]);
    expect(added(`trusted: {addresses: [{address: "${address}"}]}`)).toEqual([expected]);
  });

  it.each(['tcp/0', 'tcp/65536', 'tcp/022', 'icmp/1', 'tcp/22-', 'tcp/30-20', 'tcp', '22', 'tcp/22/23'])(
    'is the port %s',
    (port) => {
      expect(problems(`version: 1\nservices:\n  ssh:\n    - ${port}\n`)).toEqual([
        expect.stringMatching(/^sallyport.yaml:4 services.ssh\[0\]: .* is not a port \(try tcp\/22/),
      ]);
    },
  );

  it.each(['all', 'SSH', '1a', 'a b', 'x'.repeat(25), 'tür'])('is the service name %s', (name) => {
    expect(problems(`version: 1\nservices:\n  ${name}: [tcp/22]\n`)).toEqual([
      expect.stringMatching(/^sallyport.yaml:3 services\..*: .*(is not the name of a service|is reserved)/),
    ]);
  });

  it('is the name of a service that sets of our own have', () => {
    expect(problems('version: 1\nservices: {held: [tcp/22]}')).toEqual([
      'sallyport.yaml:2 services.held: "held" is reserved for addresses whose time is over; choose another name',
    ]);
  });

  it('is a service without ports, or no service at all', () => {
    expect(problems('version: 1\nservices: {ssh: []}')).toEqual([
      'sallyport.yaml:2 services.ssh: a service needs at least one port, like [tcp/22]',
    ]);
    expect(problems('version: 1\nservices: {}')).toEqual([
      'sallyport.yaml:2 services: there must be at least one service',
    ]);
  });

  it.each(['2', '0', '"1"', 'one', '[1]'])('is the version %s', (version) => {
    expect(problems(`version: ${version}\nservices: {ssh: [tcp/22]}`)).toEqual([
      expect.stringMatching(
        /^sallyport.yaml:1 version: .* is not a version that this Sallyport reads; write version: 1/,
      ),
    ]);
  });

  it('is never repeated where a secret may stand', () => {
    for (const lines of [
      'phone: {ari: {password_file: hunter2}}',
      'phone: {ami: {secret_file: hunter2}}',
      'phone: {ari: {url: "http://me:hunter2@127.0.0.1:8088"}}',
      'phone: {ari: {url: "hunter2"}}',
      'phone: {ari: {password: hunter2}}',
      'phone: {ari: {password: *hunter2}}',
      'phone: {ari: {password: !hunter2 x}}',
      'phone: {ari: {password: "\\hunter2"}}',
      'phone: {ari: {password: @hunter2}}',
      'phone: {ari: {password: %hunter2}}',
      'phone: {ari: {password: a} hunter2}}',
    ]) {
      const found = added(lines);
      expect(found).not.toEqual([]);
      expect(found.join('\n')).not.toContain('hunter2');
    }
  });
});

describe('values that do not fit together', () => {
  it('are a pool and a port of any service, guarded or not', () => {
    const file = `version: 1
services:
  ssh: [tcp/22]
  rtp: [udp/20000-21500]
firewall: {guard: [ssh]}
knock:
  pool: 21000-29999
`;
    const [message] = problems(file);
    expect(problems(file)).toHaveLength(1);
    expect(message).toBe(
      'sallyport.yaml:7 knock.pool: the pool 21000-29999 overlaps udp/20000-21500 of the service rtp; move it clear of every service',
    );
  });

  it('are the usual pool and a port, told at the port', () => {
    expect(problems('version: 1\nservices:\n  ssh:\n    - tcp/22\n    - tcp/22222\n')).toEqual([
      'sallyport.yaml:5 services.ssh[1]: tcp/22222 overlaps the pool 21000-29999; set knock.pool to a range clear of every service',
    ]);
  });

  it('are ports of one service that overlap; those of two services may', () => {
    expect(problems('version: 1\nservices:\n  a: [tcp/22, udp/22, tcp/20-30]\n')).toEqual([
      'sallyport.yaml:3 services.a[0]: tcp/22 overlaps tcp/20-30 of the same service',
    ]);
    expect(problems('version: 1\nservices:\n  a: [tcp/22]\n  b: [tcp/20-30]\n')).toEqual([]);
  });

  it('are a ttl over the maximum, told where one is written', () => {
    expect(added('grants: {ttl: 13h}')).toEqual([
      'sallyport.yaml:4 grants.ttl: 13h is longer than grants.max_ttl, which is 12h',
    ]);
    expect(added('grants: {max_ttl: 30m}')).toEqual([
      'sallyport.yaml:4 grants.max_ttl: 30m is shorter than grants.ttl, which is 1h where it is left out',
    ]);
    expect(added('grants: {ttl: 30d, max_ttl: 30d}')).toEqual([]);
  });
});

it('every problem is told at once, in the order of the lines', () => {
  const result = parseConfig(
    `version: 1
services:
  ssh: [tcp/22, tcp/99999]
  rtp: [udp/20000-25000]
frob: 1
firewall:
  guard: [shh, rtp]
trusted:
  addresses: [foo, {address: 192.0.2.1, services: [sip]}]
knock:
  window: 2m
grants:
  ttl: 2d
  max_ttl: 1d
  ipv6_prefix: 60
`,
    'sallyport.yaml',
  );
  const places = result.ok ? [] : result.problems.map(({ line, column, path }) => `${line}:${column} ${path}`);
  expect(places).toEqual([
    '3:17 services.ssh[1]',
    '4:9 services.rtp[0]',
    '5:1 frob',
    '7:11 firewall.guard[0]',
    '9:15 trusted.addresses[0]',
    '9:52 trusted.addresses[1].services[0]',
    '11:11 knock.window',
    '13:8 grants.ttl',
    '15:16 grants.ipv6_prefix',
  ]);
});
