import type { ErrorTable } from './entry.js';

/** Where knocks are heard: the pool of ports, the NFLOG group, the sockets. */
export const KNOCK_ERRORS = {
  SP_NFLOG_BUSY: {
    text: 'NFLOG group {group} is taken by another program',
    fix: 'If that is another sallyport, stop it: only one can guard a machine. Otherwise choose another group with knock.nflog_group.',
    usage: false,
  },
  SP_POOL_OVERLAP: {
    text: '{problem}',
    fix: 'Change knock.pool in the configuration, or net.ipv4.ip_local_port_range.',
    usage: false,
  },
  SP_POOL_TAKEN: {
    text: '{port} lies in the pool of knock ports, and another program has it',
    fix: 'Stop that program, or move knock.pool: with knock.source socket every port of the pool is needed.',
    usage: false,
  },
  SP_POOL_DESCRIPTORS: {
    text: 'the pool of knock ports takes {size} sockets, and too few files may be open (the limit is {limit})',
    fix: 'Allow {needed} at least (LimitNOFILE= of the service, or ulimit -n), or make knock.pool smaller.',
    usage: false,
  },
  SP_POOL_DENIED: {
    text: 'no permission to listen on {port} of the pool of knock ports',
    fix: 'Choose a knock.pool from port 1024 on, or run it as root.',
    usage: false,
  },
  SP_POOL_UNBOUND: {
    text: 'cannot listen on {port} of the pool of knock ports: {problem}',
    fix: 'Look at the network of this machine, or move knock.pool.',
    usage: false,
  },
  SP_KNOCK_SOCKETS: {
    text: 'the thread that listens for knocks failed: {problem}',
    fix: 'Start the daemon again, and report it where it happens again.',
    usage: false,
  },
} as const satisfies ErrorTable;
