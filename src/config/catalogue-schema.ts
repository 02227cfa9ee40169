import { z } from 'zod';
import { PROVIDER_PROTOCOLS } from '../core/provider.js';
import { formatVersion, listOf, mapping, oneOf } from './leaf.js';
import { host, month, note, providerName } from './values.js';

const protocol = oneOf(PROVIDER_PROTOCOLS, { description: 'What a provider speaks.' });

const provider = mapping(
  {
    title: note.meta({ description: 'What it is called, for people.', written: ['VoIP.ms'] }),
    signalling: listOf(host)
      .min(1, { error: 'name at least one host: a host name, an address or a CIDR' })
      .meta({ description: 'Who sends calls: host names, which are tracked, addresses, CIDRs.' }),
    media: listOf(host)
      .prefault([])
      .meta({ description: 'Who sends RTP, where others than `signalling` do. RTP alone is opened to them.' }),
    protocols: listOf(protocol)
      .min(1, { error: 'name at least one: sip, iax or rtp' })
      .prefault([...PROVIDER_PROTOCOLS])
      .meta({ description: 'What is opened to `signalling`.' }),
    retired: mapping(
      {
        since: month,
        why: note.meta({ description: 'What became of it.' }),
      },
      'a mapping like {since: 2016-05, why: the service was shut down}',
    )
      .optional()
      .meta({ description: 'It is gone: never let in, and reported where something else still lets it in.' }),
  },
  'a mapping like {title: VoIP.ms, signalling: [atlanta.voip.ms]}',
);

/** A catalogue of providers as it is written, and what each value becomes. */
export const catalogueSchema = mapping({
  version: formatVersion,
  providers: z
    .record(providerName, provider, {
      error: ({ code }) =>
        code === 'invalid_type' ? 'expected a mapping of names to providers, like voip.ms: {title: …}' : undefined,
    })
    .meta({ description: 'The providers, by name.' }),
});

/** A catalogue as read, with every default filled in. */
export type CatalogueValues = z.output<typeof catalogueSchema>;
