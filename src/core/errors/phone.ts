import type { ErrorTable } from './entry.js';

/** Asterisk and the link to it. */
export const PHONE_ERRORS = {
  SP_PHONE_ASTERISK: {
    text: 'no Asterisk is configured in {directory}: {problem}',
    fix: 'Name the folder of its configuration: --asterisk-dir DIR.',
    usage: false,
  },
  SP_PHONE_CONTEXT: {
    text: '{problem}; extensions.conf has: {known}',
    fix: 'Name the context of your phones, and of no trunk: --context NAME.',
    usage: false,
  },
  SP_PHONE_TAKEN: {
    text: 'the {what} is there already, and not by us: {where}',
    fix: 'Nothing was changed. Choose another ({key}), or take that one out.',
    usage: false,
  },
  SP_PHONE_FILE: {
    text: '{file}: {problem}',
    fix: 'Mend that, then run this again: what is done already stays as it is.',
    usage: false,
  },
  SP_PHONE_SECRET: {
    text: 'what is in {file} cannot be a secret of Asterisk: it takes 16 to 128 letters, digits and . _ ~ + / = -',
    fix: 'Remove that file to have a new secret drawn.',
    usage: false,
  },
  SP_PHONE_REMOTE: {
    text: '{key} names another machine, {host}, and its links have no encryption',
    fix: 'Run Sallyport on the machine of Asterisk, and let it say 127.0.0.1.',
    usage: false,
  },
  SP_PHONE_RELOAD: {
    text: 'everything is written, but Asterisk did not take it: {command}: {problem}',
    fix: 'See that Asterisk runs, then run this again.',
    usage: false,
  },
} as const satisfies ErrorTable;
