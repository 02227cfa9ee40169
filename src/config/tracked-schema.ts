import type { ProviderProtocol } from '../core/provider.js';
import { days, seconds } from '../core/time.js';
import { listOf, mapping, wholeNumber } from './leaf.js';
import * as values from './values.js';

/** How host names are looked up. */
export const names = mapping({
  schedule: values.cronSchedule.prefault('*/10 * * * *'),
  servers: listOf(values.nameServer)
    .max(8, { error: 'there are more than 8 servers' })
    .prefault([])
    .meta({
      description: 'The name servers to ask, at most 8. Where there are none: those of `/etc/resolv.conf`.',
      written: [['192.0.2.53', '[2001:db8::53]:5353']],
    }),
  nxdomain_after: values
    .duration(
      { min: seconds(1), max: days(365) },
      {
        description:
          'When the DNS says for so long that there is no such name, its addresses are dropped; from `1s` to `365d`. No other answer, and no failure, ever drops them.',
        written: ['7d'],
      },
    )
    .prefault('1d'),
  max_addresses: wholeNumber(1, 256, {
    description:
      'How many IPv4 addresses, and how many IPv6 ones, a name may bring; from `1` to `256`. An answer with more changes nothing, and is reported.',
  }).prefault(16),
});

/** Where a PBX takes what providers send, unless it is told otherwise. */
export const USUAL_PROVIDER_PORTS = {
  sip: ['udp/5060', 'tcp/5060-5061'],
  iax: ['udp/4569'],
  rtp: ['udp/10000-20000'],
} as const;

const portsOf = (protocol: ProviderProtocol, description: string) =>
  listOf(values.portRange)
    .prefault([...USUAL_PROVIDER_PORTS[protocol]])
    .meta({ description });

/** How VoIP providers are let in. */
export const providers = mapping({
  catalogue: values
    .absolutePath({
      description:
        'A catalogue of your own, an absolute path: adds providers to those that come along, and replaces those of the same name.',
    })
    .optional()
    .meta({ written: ['/etc/sallyport/providers.yaml'] }),
  ports: mapping({
    sip: portsOf('sip', 'Where this host takes SIP from providers.'),
    iax: portsOf('iax', 'Where it takes IAX.'),
    rtp: portsOf('rtp', 'Where it takes RTP.'),
  })
    .prefault({})
    .meta({ description: 'The ports of this host that are opened to providers, as far as they are closed.' }),
});
