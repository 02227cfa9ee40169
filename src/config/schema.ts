import { z } from 'zod';
import { MOST_NAMES } from '../core/names/name-entry.js';
import { days, minutes, seconds } from '../core/time.js';
import { formatVersion, listOf, mapping, oneOf, wholeNumber, yesOrNo } from './leaf.js';
import { names, providers } from './tracked-schema.js';
import * as values from './values.js';

const SCOPE = 'write all, or a list of services such as [ssh, sip], at least one';

const STRIKES = 'write off, or a mapping like {limit: 20, ignore: 10m}';

/** What Docker, libvirt, LXD, LXC, Podman and Kubernetes call their bridges. */
const FORWARD = ['docker0', 'br-*', 'virbr*', 'lxdbr*', 'lxcbr*', 'podman*', 'cni*'];

const scope = (description: string, example = ['ssh']) =>
  z
    .union([z.literal('all'), listOf(values.serviceReference).min(1, { error: SCOPE })], { error: SCOPE })
    .meta({ description, written: [example] });

const services = z
  .record(
    values.serviceName,
    listOf(values.portRange).min(1, { error: 'a service needs at least one port, like [tcp/22]' }),
    {
      error: ({ code }) =>
        code === 'invalid_type' ? 'expected a mapping of names to lists of ports, like ssh: [tcp/22]' : undefined,
    },
  )
  .refine((record) => Object.keys(record).length > 0, { error: 'there must be at least one service' })
  .meta({
    description:
      'The sets of ports that can be opened, by name: a small letter, then up to 23 small letters, digits, `-` or `_`. `all` is reserved and stands for every one of them. At least one.',
    written: [{ ssh: ['tcp/22'] }],
  });

const firewall = mapping({
  driver: oneOf(
    ['nftables', 'none'],
    {
      description:
        'What closes and opens the ports. `none` closes nothing: for trying everything else without nftables and without privileges, with `knock.source: socket`. `ipset` and `command` are not available in this version.',
    },
    ['ipset', 'command'],
  ).prefault('nftables'),
  policy: oneOf(['guard', 'lockdown'], {
    description:
      '`guard` closes the services named in `guard`. `lockdown` closes everything, forwarded traffic too, except to the whitelist; see docs/lockdown.md.',
    written: ['lockdown'],
  }).prefault('guard'),
  guard: scope(
    'The services that are closed to strangers: `all`, or a list of names. Under `lockdown` every service is, whatever stands here.',
    ['ssh', 'sip'],
  ).prefault('all'),
  forward: listOf(values.interfaceName)
    .prefault([...FORWARD])
    .meta({
      description:
        'Under `lockdown`: the interfaces whose own connections this machine forwards, such as the bridges of containers or the network behind a router. A `*` at the end stands for any ending.',
      written: [['docker0', 'lan0']],
    }),
  on_expiry: oneOf(['cut', 'drain'], {
    description: 'When a grant ends: `cut` stops live connections, `drain` lets them finish.',
    written: ['drain'],
  }).prefault('cut'),
  provisional: values
    .duration(
      { min: seconds(2), max: minutes(60) },
      {
        description:
          'How long the very first guard holds, and a change that is found at the start, unless a knock opens it or it is confirmed, from `2s` to `60m`.',
        written: ['10m'],
      },
    )
    .prefault('5m'),
  rescue: yesOrNo({
    description:
      'After three starts of the machine within ten minutes nothing is closed before five minutes have passed: whoever has locked himself out can get in that way. `false` closes at every start at once.',
    written: [false],
  }).prefault(true),
});

const trusted = mapping({
  interfaces: listOf(values.interfaceName)
    .prefault([])
    .meta({
      description: 'Interfaces from which everything is let in, such as a VPN. A `*` at the end stands for any ending.',
      written: [['wg0']],
    }),
  addresses: listOf(
    z.union(
      [
        values.target,
        mapping({
          address: values.target,
          services: scope('What is open to it: `all`, or a list of names.').prefault('all'),
          note: values.note.optional(),
        }),
      ],
      { error: 'write an address, a CIDR, or a mapping like {address: 203.0.113.0/28, services: all}' },
    ),
  )
    .prefault([])
    .meta({
      description:
        'Addresses and CIDRs that are let in without a knock. An address alone stands for one with `services: all`.',
      written: [['203.0.113.7']],
    }),
  names: listOf(
    mapping(
      {
        name: values.trustedHost,
        services: scope('What is open to it: `all`, or a list of names.').prefault('all'),
        note: values.note.optional(),
      },
      'a mapping like {name: home.example.org, services: [ssh]}',
    ),
  )
    .max(MOST_NAMES, { error: `there are more than ${MOST_NAMES} names` })
    .prefault([])
    .meta({
      description: 'Host names whose addresses are let in, as the DNS has them at the moment. At most 1000.',
      written: [[{ name: 'home.example.org', services: ['ssh'] }]],
    }),
  providers: listOf(values.providerName)
    .prefault([])
    .meta({
      description:
        'VoIP providers that are let in, by the names that `sallyport provider list` shows. SIP, IAX and RTP are opened to them, and nothing else.',
      written: [['voip.ms']],
    }),
});

const SOCKET_PROTOCOLS = 'name at least one: [udp] or [tcp, udp]';

const knock = mapping({
  source: oneOf(['kernel', 'socket'], {
    description:
      'What recognises knocks. `kernel`: rules of the packet filter, where no port is ever open. `socket`: sockets on every port of the pool, on any system and without privileges.',
    written: ['socket'],
  }).prefault('kernel'),
  socket_protocols: listOf(oneOf(['tcp', 'udp'], { description: 'A protocol.' }))
    .min(1, { error: SOCKET_PROTOCOLS })
    .prefault(['udp'])
    .meta({
      description:
        'What `source: socket` listens to: only such packets are knocks there. With `tcp` every TCP port of the pool looks open to strangers, and a knock counts when its connection stands.',
      written: [['tcp', 'udp']],
    }),
  pool: values.pool.prefault('21000-29999'),
  window: values
    .duration(
      { min: seconds(1), max: seconds(60) },
      { description: 'The longest time between two packets of a sequence, from `1s` to `60s`.', written: ['15s'] },
    )
    .prefault('10s'),
  strikes: z
    .union(
      [
        z.literal(['off', false]),
        mapping({
          limit: wholeNumber(5, 10_000, {
            description:
              'So many wrong packets of a source within a minute, and its knocks are ignored; from `5` to `10000`.',
          }).prefault(20),
          ignore: values
            .duration(
              { min: seconds(10), max: days(1) },
              { description: 'For how long, from `10s` to `1d`.', written: ['1h'] },
            )
            .prefault('10m'),
        }),
      ],
      { error: STRIKES },
    )
    .prefault({ limit: 20, ignore: '10m' })
    .meta({
      description:
        'When the knocks of a source are ignored: of an IPv4 address, or of an IPv6 /64. `off` switches it off. Open grants are never touched.',
      written: ['off'],
    }),
  nflog_group: wholeNumber(1, 65535, {
    description: 'The NFLOG group by which the kernel reports knocks. Change it where another program uses it.',
  }).prefault(864),
});

const grants = mapping({
  ttl: values
    .duration(
      { min: seconds(1), max: days(30) },
      {
        description: 'How long a grant lasts, unless the user has a time of their own. Not longer than `max_ttl`.',
        written: ['8h'],
      },
    )
    .prefault('1h'),
  max_ttl: values
    .duration(
      { min: seconds(1), max: days(30) },
      { description: 'The longest time that any grant may last, at most `30d`.', written: ['2d'] },
    )
    .prefault('12h'),
  ipv6_prefix: z
    .literal([64, 128], { error: 'write 64 or 128' })
    .prefault(128)
    .meta({ description: 'How much of an IPv6 address a grant covers: `128` the address alone, `64` its network.' }),
});

const phone = mapping({
  extension: values.extension.prefault('864'),
  driver: oneOf(['ari', 'ami'], {
    description:
      'How Asterisk is driven: `ari` by the Asterisk REST Interface, `ami` by the Asterisk Manager Interface and `AGI(agi:async)`.',
  }).prefault('ari'),
  language: values.language.prefault('en'),
  ari: mapping({
    url: values.ariUrl.prefault('http://127.0.0.1:8088'),
    app: values.identifier({ description: 'The name of the Stasis application.' }).prefault('sallyport'),
    username: values.identifier({ description: 'The user of ARI.' }).prefault('sallyport'),
    password_file: values
      .absolutePath({ description: "The file that holds this user's password." }, { secret: true })
      .prefault('/etc/sallyport/ari.secret'),
  })
    .prefault({})
    .meta({ description: 'The Asterisk REST Interface.' }),
  ami: mapping({
    host: values.hostOrAddress({ description: 'The host name or address of Asterisk.' }).prefault('127.0.0.1'),
    port: wholeNumber(1, 65535, { description: 'The TCP port of AMI.' }).prefault(5038),
    username: values.identifier({ description: 'The user of AMI.' }).prefault('sallyport'),
    secret_file: values
      .absolutePath({ description: "The file that holds this user's secret." }, { secret: true })
      .prefault('/etc/sallyport/ami.secret'),
    user_events: yesOrNo({
      description:
        'Whether the dialplan may let addresses in by `UserEvent(SallyportAuthorize)`, for callers whom it has authenticated itself.',
    }).prefault(false),
  })
    .prefault({})
    .meta({ description: 'The Asterisk Manager Interface.' }),
});

/**
 * The file as it is written, and what each value becomes. Names, defaults, limits and descriptions stand here alone: the
 * JSON Schema and docs/configuration.md are made from it.
 */
export const fileSchema = mapping({
  version: formatVersion,
  services,
  firewall: firewall.prefault({}).meta({ description: 'What is closed, and how.' }),
  trusted: trusted.prefault({}).meta({ description: 'Who is let in without a knock, until the line is removed.' }),
  providers: providers.prefault({}).meta({ description: 'How VoIP providers are let in.' }),
  names: names.prefault({}).meta({ description: 'How the host names that are let in are looked up.' }),
  knock: knock.prefault({}).meta({ description: 'How knocks are recognised.' }),
  grants: grants.prefault({}).meta({ description: 'What a knock opens, and for how long.' }),
  phone: phone.prefault({}).meta({
    description: 'The telephone menu of Asterisk. There is one where this section is written.',
  }),
  control: mapping({ socket: values.socketPath.prefault('/run/sallyport/control.sock') })
    .prefault({})
    .meta({ description: 'The API by which the commands reach the daemon.' }),
  log: mapping({
    level: oneOf(['trace', 'debug', 'info', 'warn', 'error'], {
      description: 'The least important messages that are still logged.',
      written: ['debug'],
    }).prefault('info'),
  })
    .prefault({})
    .meta({ description: "The daemon's own log." }),
  journal: mapping({
    keep: values
      .duration(
        { min: days(1), max: days(3650) },
        { description: 'How long the record of who was let in is kept, from `1d` to `3650d`.', written: ['365d'] },
      )
      .prefault('90d'),
  })
    .prefault({})
    .meta({ description: 'The record of who was let in, when and why.' }),
  state: mapping({
    directory: values
      .absolutePath({ description: 'The directory of the database, an absolute path.' })
      .prefault('/var/lib/sallyport'),
  })
    .prefault({})
    .meta({ description: 'Where users, grants and the journal are kept.' }),
});

/** The file as read, with every default filled in. */
export type FileValues = z.output<typeof fileSchema>;

/** Keys that may stand with nothing below them, as when all of it is commented out; they count as left out. */
export const MAY_BE_EMPTY: readonly (readonly string[])[] = [
  ...[
    'firewall',
    'trusted',
    'names',
    'providers',
    'knock',
    'grants',
    'phone',
    'control',
    'log',
    'journal',
    'state',
  ].map((key) => [key]),
  ['firewall', 'forward'],
  ...['interfaces', 'addresses', 'names', 'providers'].map((key) => ['trusted', key]),
  ['providers', 'ports'],
  ['phone', 'ari'],
  ['phone', 'ami'],
];
