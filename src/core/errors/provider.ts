import type { ErrorTable } from './entry.js';

/** VoIP providers and the catalogue of them. */
export const PROVIDER_ERRORS = {
  SP_CATALOGUE_UNREADABLE: {
    text: 'the catalogue of providers {file} cannot be read: {reason}',
    fix: 'Mend providers.catalogue of the configuration, or the file.',
    usage: false,
  },
  SP_PROVIDER_UNKNOWN: {
    text: 'there is no provider "{value}"{hint}',
    fix: 'See who there is: sallyport provider list.',
    usage: true,
  },
  SP_PROVIDER_RETIRED: {
    text: '{name} is retired since {since}: {why}',
    fix: 'It is not let in; where its addresses still are, take them out (sallyport status names them).',
    usage: false,
  },
  SP_PROVIDER_CONFIGURED: {
    text: '{name} is enabled by the configuration',
    fix: 'Take it out of trusted.providers and restart the daemon.',
    usage: false,
  },
  SP_ENTRY_PROVIDED: {
    text: '{target} is let in as a part of the provider {name}',
    fix: 'Put the whole provider out: sallyport provider disable {name}.',
    usage: false,
  },
} as const satisfies ErrorTable;
