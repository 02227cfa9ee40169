/**
 * Every error that a user can meet: its public text, and what to do next. `{name}` is filled from the details.
 * `usage` marks what was wrong with the words of a command (exit status 2 instead of 1).
 * docs/errors.md is generated from this table and checked against it.
 */
export const ERRORS = {
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
  SP_ADDRESS_REFUSED: {
    text: '{address} may never be let in: it is {reason}',
    fix: 'Give the address that the other machine is seen with from here.',
    usage: false,
  },
  SP_PREFIX_INVALID: {
    text: '"{value}" is not a CIDR: {problem}',
    fix: 'Write it like 203.0.113.0/28 or 2001:db8::/48.',
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
  SP_NOT_FOUND: {
    text: 'nothing that is let in goes by "{what}"',
    fix: 'sallyport list shows the addresses, ids and users there are.',
    usage: false,
  },
  SP_PIN_INVALID: {
    text: 'that is not a PIN: it takes 6 to 32 digits',
    fix: 'Choose another and give it on standard input, alone on one line.',
    usage: true,
  },
  SP_CONTROL_BUSY: {
    text: 'a daemon answers on {socket} already',
    fix: 'Stop that one first, or give this one a control.socket of its own.',
    usage: false,
  },
  SP_CONTROL_SOCKET: {
    text: 'cannot listen on {socket}: {problem}',
    fix: 'Look at control.socket in the configuration and at the rights on its directory.',
    usage: false,
  },
  SP_CONTROL_TIMEOUT: {
    text: 'the daemon did not finish that in time',
    fix: 'Look at sallyport status and at the log before you try again.',
    usage: false,
  },
  SP_REQUEST_INVALID: {
    text: 'that request cannot be served: {problem}',
    fix: 'Correct it and send it again; /openapi.json on the control socket says how it is written.',
    usage: true,
  },
  SP_INTERNAL: {
    text: 'something went wrong inside the daemon',
    fix: 'The cause is in its log (journalctl -u sallyport).',
    usage: false,
  },
  SP_DAEMON_UNREACHABLE: {
    text: 'no daemon answers on {socket}',
    fix: 'Start it with npm start or systemctl start sallyport, or name its configuration with --config.',
    usage: false,
  },
  SP_DAEMON_FORBIDDEN: {
    text: 'you have no permission to talk to the daemon on {socket}',
    fix: 'Run this as root, or become a member of the group sallyport.',
    usage: false,
  },
  SP_DAEMON_TIMEOUT: {
    text: 'the daemon on {socket} did not answer within {seconds} s',
    fix: 'Look at its log (journalctl -u sallyport), and restart it if it hangs.',
    usage: false,
  },
  SP_DAEMON_ANSWER: {
    text: 'the daemon on {socket} gave an answer that makes no sense here: {problem}',
    fix: 'Restart the daemon, so that it and this command are of the same version.',
    usage: false,
  },
  SP_DAEMON_STOPPED: {
    text: 'the daemon on {socket} stopped',
    fix: 'Start it with npm start or systemctl start sallyport, then run this again.',
    usage: false,
  },
  SP_COMMAND_FAILED: {
    text: 'this command failed in a way that it should not: {problem}',
    fix: 'Run it again with SALLYPORT_DEBUG=1 and report what it prints.',
    usage: false,
  },
  SP_NFT_MISSING: {
    text: 'the program nft is not there, or may not be run',
    fix: 'Install nftables (on Debian: apt-get install nftables).',
    usage: false,
  },
  SP_FIREWALL_DENIED: {
    text: 'the kernel does not let us change the packet filter',
    fix: 'Run it as root, or with CAP_NET_ADMIN.',
    usage: false,
  },
  SP_FIREWALL_FAILED: {
    text: 'the kernel refused the rules: {problem}',
    fix: 'See the log; if the kernel is older than 5.6 it cannot hold them.',
    usage: false,
  },
  SP_FIREWALL_OPEN: {
    text: 'the guard is down, there is nothing to {what}',
    fix: 'Put it up with: sallyport firewall apply.',
    usage: false,
  },
  SP_CLIENT_HOST_INVALID: {
    text: '"{value}" is neither an address nor a host name',
    fix: 'Write it like server.example.org, 203.0.113.7 or 2001:db8::7.',
    usage: true,
  },
  SP_CLIENT_ZONE_MISSING: {
    text: '{value} is a link-local address, which means nothing without its interface',
    fix: 'Write it with the interface that leads there, like {value}%eth0.',
    usage: true,
  },
  SP_CLIENT_NAME_UNKNOWN: {
    text: 'no {wanted} was found for the name "{host}" ({code})',
    fix: 'Check the spelling and the network connection, or give the address itself.',
    usage: false,
  },
  SP_CLIENT_NOT_SENT: {
    text: 'no packet can be sent to {host} from here ({code})',
    fix: 'Check the network connection; -4 or -6 chooses the kind of address.',
    usage: false,
  },
  SP_CLIENT_STILL_SHUT: {
    text: '{port} on {host} stayed shut ({tries})',
    fix: 'Compare the ports, their protocols and their order with your card; see that the gateway runs, and try from another network, as some drop such packets.',
    usage: false,
  },
  SP_CLIENT_NO_CARRIER: {
    text: 'the last port of your card is TCP, and only a UDP packet can carry a pairing code',
    fix: 'Ask for new ports, which end in UDP: sallyport user rotate NAME on the gateway. On the phone, menu item 1 takes your address instead, unless you have an approval.',
    usage: false,
  },
  SP_CLIENT_NOT_CONFIRMED: {
    text: '{port} on {host} stayed shut for {time}',
    fix: 'Run it again, and call meanwhile. If the phone knows no such code, the knock did not arrive: compare the ports with your card, and try -4, -6 or another network.',
    usage: false,
  },
  SP_CLIENT_PORTS_FILE: {
    text: 'the file with the ports cannot be used: {problem}',
    fix: 'Give a file that you can read, with one line like tcp/21234,udp/28111,tcp/24711.',
    usage: false,
  },
  SP_NETLINK_UNAVAILABLE: {
    text: 'the kernel cannot be reached over netlink: {problem}',
    fix: 'Run it as root (or with CAP_NET_ADMIN) on a kernel with nf_tables, with the npm packages installed.',
    usage: false,
  },
  SP_NFLOG_BUSY: {
    text: 'NFLOG group {group} is taken by another program',
    fix: 'If that is another sallyport, stop it: only one can guard a machine. Otherwise choose another group with knock.nflog_group.',
    usage: false,
  },
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
  SP_ACCOUNT_INVALID: {
    text: '"{value}" cannot be an account',
    fix: 'Use 1 to 20 digits.',
    usage: true,
  },
  SP_ACCOUNT_TAKEN: {
    text: 'the account {value} belongs to another user',
    fix: 'Choose another number.',
    usage: false,
  },
  SP_NUMBER_INVALID: {
    text: '"{value}" is not a telephone number',
    fix: 'Give it as your PBX dials it: 2 to 24 digits, perhaps with + in front.',
    usage: true,
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
  SP_NOTHING_PROVISIONAL: {
    text: 'no provisional guard is up',
    fix: 'To open everything at once run: sallyport firewall panic.',
    usage: false,
  },
  SP_TARGET_NAME: {
    text: '"{value}" is a host name, and this version tracks no names',
    fix: 'Give its address, like 203.0.113.7.',
    usage: false,
  },
  SP_ENTRY_CONFIGURED: {
    text: '{target} is let in by the configuration',
    fix: 'Take it out of trusted.addresses and restart the daemon.',
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
  SP_FIREWALL_NONE: {
    text: 'nothing is closed here, so there is nothing to {what}: firewall.driver is none',
    fix: 'To close the guarded services set firewall.driver to nftables, then restart the daemon.',
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
  SP_NOTHING_TO_RESTORE: {
    text: 'there is neither a readable configuration nor a guard that was saved',
    fix: 'Mend the configuration (sallyport check names its lines), or make one: sallyport init.',
    usage: false,
  },
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
  SP_USAGE: {
    text: '{problem}',
    fix: 'Run it with --help to see how it is written.',
    usage: true,
  },
} as const satisfies Record<string, ErrorEntry>;

interface ErrorEntry {
  readonly text: string;
  readonly fix: string;
  readonly usage: boolean;
}

export type ErrorCode = keyof typeof ERRORS;

const LONGEST_DETAIL = 200;

/**
 * An error for people: a code of the table, its public text and what to do next. The cause is for the log alone and is
 * never part of the text.
 */
export class SallyportError extends Error {
  override readonly name = 'SallyportError';
  readonly code: ErrorCode;
  readonly fix: string;
  readonly usage: boolean;

  constructor(code: ErrorCode, details: Readonly<Record<string, string | number>> = {}, cause?: unknown) {
    const entry: ErrorEntry = ERRORS[code];
    super(fill(entry.text, details), cause === undefined ? undefined : { cause });
    this.code = code;
    this.fix = fill(entry.fix, details);
    this.usage = entry.usage;
  }

  /** One line for stderr: code, what is wrong, what to do. */
  toLine(): string {
    return `${this.code}: ${this.message}${/[.?!]$/.test(this.message) ? '' : '.'} ${this.fix}`;
  }
}

/** True where `error` is one of ours, with the given code where one is given. */
export function isSallyportError(error: unknown, code?: ErrorCode): error is SallyportError {
  return error instanceof SallyportError && (code === undefined || error.code === code);
}

function fill(template: string, details: Readonly<Record<string, string | number>>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => printable(details[name] ?? whole));
}

/** What a user typed may hold escape sequences or line breaks: none of it reaches a terminal or a log line. */
function printable(value: string | number): string {
  const text = String(value);
  const clean = text.slice(0, LONGEST_DETAIL).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '?');
  return text.length > LONGEST_DETAIL ? `${clean}…` : clean;
}
