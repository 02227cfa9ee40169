import type { ErrorTable } from './entry.js';

/** Who is let in and who may be: users, grants and entries. */
export const ACCESS_ERRORS = {
  SP_ADDRESS_REFUSED: {
    text: '{address} may never be let in: it is {reason}',
    fix: 'Give the address that the other machine is seen with from here.',
    usage: false,
  },
  SP_NOT_FOUND: {
    text: 'nothing that is let in goes by "{what}"',
    fix: 'sallyport list shows the targets, ids and users there are; sallyport whois ADDRESS tells what lets one in.',
    usage: false,
  },
  SP_USER_UNKNOWN: {
    text: 'there is no user "{name}"',
    fix: 'See who there is: sallyport user list.',
    usage: false,
  },
  SP_USER_EXISTS: {
    text: 'there is a user "{name}" already',
    fix: 'Choose another name, or change that one: sallyport user set {name}.',
    usage: false,
  },
  SP_ACCOUNT_TAKEN: {
    text: 'the account {value} belongs to another user',
    fix: 'Choose another number.',
    usage: false,
  },
  SP_NUMBER_MISSING: {
    text: 'there is no number to ring {name} at',
    fix: 'Give it along: --approval callback --number 15550100.',
    usage: true,
  },
  SP_TTL_TOO_LONG: {
    text: '{value} is longer than a grant may last ({max})',
    fix: 'Ask for less, raise grants.max_ttl, or make an entry that stays: sallyport allow without --for.',
    usage: false,
  },
  SP_TARGET_EVERYONE: {
    text: '{target} is everybody',
    fix: 'If that is what you want, say so with --force.',
    usage: false,
  },
  SP_TARGET_NAME: {
    text: '"{value}" is a host name, and a name is let in until it is removed',
    fix: 'Leave --for out, or give its address, like 203.0.113.7.',
    usage: false,
  },
  SP_ENTRY_CONFIGURED: {
    text: '{target} is let in by the configuration',
    fix: 'Take it out of the section trusted, then run: sallyport firewall apply.',
    usage: false,
  },
  SP_ENTRIES_FULL: {
    text: 'there are {most} entries already',
    fix: 'Remove one first (sallyport revoke ADDRESS), or let a whole network in: sallyport allow 203.0.113.0/24.',
    usage: false,
  },
  SP_NAMES_FULL: {
    text: '{most} host names are tracked already',
    fix: 'Remove one first: sallyport revoke NAME.',
    usage: false,
  },
} as const satisfies ErrorTable;
