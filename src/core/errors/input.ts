import type { ErrorTable } from './entry.js';

/** Words that are not written as they should be. */
export const INPUT_ERRORS = {
  SP_ADDRESS_INVALID: {
    text: '"{value}" is not an IPv4 or IPv6 address',
    fix: 'Write it like 203.0.113.7 or 2001:db8::7.',
    usage: true,
  },
  SP_ADDRESS_MAPPED: {
    text: '"{value}" is an IPv4 address in IPv6 clothes',
    fix: 'Write the plain IPv4 address {ipv4}.',
    usage: true,
  },
  SP_PREFIX_INVALID: {
    text: '"{value}" is not a CIDR: {problem}',
    fix: 'Write it like 203.0.113.0/28 or 2001:db8::/48.',
    usage: true,
  },
  SP_HOST_NAME_INVALID: {
    text: '"{value}" is not a host name: {problem}',
    fix: 'Write it like office.example.org.',
    usage: true,
  },
  SP_DURATION_INVALID: {
    text: '"{value}" is not a duration',
    fix: 'Try 90s, 15m, 8h or 2d.',
    usage: true,
  },
  SP_PORT_INVALID: {
    text: '"{value}" is not a port',
    fix: 'Write the protocol and a number from 1 to 65535, like tcp/22 or udp/10000-20000.',
    usage: true,
  },
  SP_SEQUENCE_INVALID: {
    text: 'that knock sequence cannot be used: {problem}',
    fix: 'Give 2 to 8 different ports of the pool, no two of them neighbours, like tcp/21234,udp/28111,tcp/24711, or leave the choice to us.',
    usage: true,
  },
  SP_NAME_INVALID: {
    text: '"{value}" cannot be a user name',
    fix: 'Use 1 to 32 letters, digits, dots, dashes or underscores, beginning with a letter or digit.',
    usage: true,
  },
  SP_SERVICE_UNKNOWN: {
    text: 'there is no service "{value}"',
    fix: 'The configuration has: {known}.',
    usage: true,
  },
  SP_PIN_INVALID: {
    text: 'that is not a PIN: it takes 6 to 32 digits',
    fix: 'Choose another and give it on standard input, alone on one line.',
    usage: true,
  },
  SP_ACCOUNT_INVALID: {
    text: '"{value}" cannot be an account',
    fix: 'Use 1 to 20 digits.',
    usage: true,
  },
  SP_NUMBER_INVALID: {
    text: '"{value}" is not a telephone number',
    fix: 'Give it as your PBX dials it: 2 to 24 digits, perhaps with + in front.',
    usage: true,
  },
  SP_USAGE: {
    text: '{problem}',
    fix: 'Run it with --help to see how it is written.',
    usage: true,
  },
} as const satisfies ErrorTable;
