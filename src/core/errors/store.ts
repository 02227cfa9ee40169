import type { ErrorTable } from './entry.js';

/** The state directory and the database in it. */
export const STORE_ERRORS = {
  SP_STATE_UNWRITABLE: {
    text: 'the state directory {directory} cannot be used: {problem}',
    fix: 'Run it as root, or give it a directory of its own that can be written (--state-dir).',
    usage: false,
  },
  SP_STATE_LOCKED: {
    text: 'the state directory {directory} is in use by {holder}',
    fix: 'Stop that one first, or give this one a state directory of its own (--state-dir).',
    usage: false,
  },
  SP_STORE_FULL: {
    text: 'the disk of {directory} is full: nothing more can be recorded',
    fix: 'Make room; recording then goes on by itself.',
    usage: false,
  },
  SP_STORE_DAMAGED: {
    text: 'the database {file} is damaged: {problem}',
    fix: 'Restore it from a backup, or move it away with its -wal file to start without users and grants.',
    usage: false,
  },
  SP_STORE_NEWER: {
    text: 'the database {file} was written by a newer version: schema {found}, and this version knows up to {known}',
    fix: 'Start the newer version again.',
    usage: false,
  },
  SP_STORE_REFUSED: {
    text: 'that cannot be recorded: {problem}',
    fix: 'Nothing was changed.',
    usage: false,
  },
  SP_STORE_FAILED: {
    text: 'the store does not work: {problem}',
    fix: 'Look at the log and at the disk, then start the daemon again.',
    usage: false,
  },
} as const satisfies ErrorTable;
