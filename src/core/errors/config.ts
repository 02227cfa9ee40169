import type { ErrorTable } from './entry.js';

/** The configuration file. */
export const CONFIG_ERRORS = {
  SP_CONFIG_MISSING: {
    text: 'there is no configuration at {file}',
    fix: 'Run sallyport init to make one, or name another with --config FILE.',
    usage: false,
  },
  SP_CONFIG_UNREADABLE: {
    text: 'the configuration {file} cannot be read: {reason}',
    fix: 'Run it as root, or name another file with --config FILE.',
    usage: false,
  },
  SP_CONFIG_INVALID: {
    text: '{problem}{more}',
    fix: 'Mend it, then run sallyport check to see that nothing is left.',
    usage: false,
  },
  SP_CONFIG_EXISTS: {
    text: 'there is a configuration already: {file}',
    fix: 'Change it with an editor, or move it away to begin anew.',
    usage: false,
  },
  SP_CONFIG_UNWRITABLE: {
    text: 'cannot write {file}: {reason}',
    fix: 'Run it as root, or give another place with --config.',
    usage: false,
  },
} as const satisfies ErrorTable;
