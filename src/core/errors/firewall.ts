import type { ErrorTable } from './entry.js';

/** The packet filter, and the guard that is put up in it. */
export const FIREWALL_ERRORS = {
  SP_NFT_MISSING: {
    text: 'the program nft is not there, or may not be run',
    fix: 'Install nftables (on Debian: apt-get install nftables).',
    usage: false,
  },
  SP_NETLINK_UNAVAILABLE: {
    text: 'the kernel cannot be reached over netlink: {problem}',
    fix: 'Run it as root (or with CAP_NET_ADMIN) on a kernel with nf_tables, with the npm packages installed.',
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
  SP_FIREWALL_NONE: {
    text: 'nothing is closed here, so there is nothing to {what}: firewall.driver is none',
    fix: 'To close the guarded services set firewall.driver to nftables, then restart the daemon.',
    usage: false,
  },
  SP_NOTHING_PROVISIONAL: {
    text: 'neither a provisional guard is up nor a provisional change',
    fix: 'See how it stands: sallyport firewall status. To open everything at once: sallyport firewall panic.',
    usage: false,
  },
  SP_WOULD_LOCK_OUT: {
    text: '{what} would shut out {who}',
    fix: 'Let the address in first (sallyport allow ADDRESS), or do it all the same with --force.',
    usage: false,
  },
  SP_SERVICE_IN_USE: {
    text: 'the configuration has no service {service} any more, and it is still that of {who}',
    fix: 'Give them others first (sallyport user set, sallyport revoke), or leave the service in the configuration.',
    usage: false,
  },
  SP_NOTHING_TO_RESTORE: {
    text: 'there is neither a readable configuration nor a guard that was saved',
    fix: 'Mend the configuration (sallyport check names its lines), or make one: sallyport init.',
    usage: false,
  },
} as const satisfies ErrorTable;
