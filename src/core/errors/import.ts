import type { ErrorTable } from './entry.js';

/** What is wrong with files to import. */
export const IMPORT_ERRORS = {
  SP_IMPORT_FILE: {
    text: '{file}: {problem}',
    fix: 'Nothing was changed. Give files that you can read, of at most 4 MB.',
    usage: false,
  },
  SP_IMPORT_KIND: {
    text: '{file} is of no kind that can be imported',
    fix: 'Nothing was changed. Give rules as iptables-save writes them, NAME.iptables, knockd.conf, or access.conf of fwknop.',
    usage: false,
  },
  SP_IMPORT_LARGE: {
    text: 'nothing was changed: it has {entries} new entries, and {most} are made at once',
    fix: 'Import the files one after the other, or in parts.',
    usage: false,
  },
  SP_IMPORT_UNASKED: {
    text: 'nothing was changed: nobody is there to be asked',
    fix: 'Look at what it would make, and give --yes to have it made.',
    usage: false,
  },
} as const satisfies ErrorTable;
