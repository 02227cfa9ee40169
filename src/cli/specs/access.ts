import { namesOption, option, type Spec, textOption } from '../spec.js';

/** Letting in and putting out. */
export const ACCESS: readonly Spec[] = [
  {
    name: 'allow',
    takes: '<target>',
    arguments: { target: 'an address, a CIDR or a host name' },
    group: 'Access:',
    summary: 'let an address, a CIDR or a host name in',
    about:
      'Lets a target in: with --for until its time is over (a grant), without it until you remove it (an entry). ' +
      'A host name is let in until you remove it: it is looked up again and again, and whatever addresses it has are in.',
    options: [
      namesOption('--services <names>', 'which services, with commas between them (default: all)'),
      textOption('--for <duration>', 'how long: 90s, 15m, 8h, 2d'),
      textOption('--note <text>', 'why, for whoever reads the list'),
      option('--force', 'also where it lets everybody in, as 0.0.0.0/0 does'),
    ],
    examples: [
      'sallyport allow 203.0.113.7 --for 8h --services ssh',
      'sallyport allow 203.0.113.0/28 --note "head office"',
      'sallyport allow 2001:db8:7::/48 --services sip,web --for 2d',
      'sallyport allow home.example.org --services ssh --note "Ann, at home"',
    ],
    run: async (call) => (await import('../commands/access.js')).allow(call),
  },
  {
    name: 'revoke',
    takes: '<what>',
    arguments: { what: 'a target, the id of a grant or an entry, or the name of a user' },
    group: 'Access:',
    summary: 'end grants and entries, and drop waiting claims, now',
    options: [option('--force', 'also where it shuts out a live SSH session, or is the last way in')],
    examples: ['sallyport revoke 203.0.113.7', 'sallyport revoke home.example.org', 'sallyport revoke alice'],
    run: async (call) => (await import('../commands/access.js')).revoke(call),
  },
  {
    name: 'list',
    group: 'Seeing:',
    summary: 'all entries and grants',
    about:
      'Lists who is let in: grants, which end by themselves, and entries, which last until you remove them (sallyport revoke with the target or the id). Tells when each was last used.',
    run: async (call) => (await import('../commands/access.js')).list(call),
  },
  {
    name: 'whois',
    takes: '<address>',
    arguments: { address: 'an IPv4 or IPv6 address' },
    group: 'Seeing:',
    summary: 'whose address it is, and what lets it in',
    about:
      'Says what lets an address in, when that was last used, and what name it has by reverse DNS. With --online a registry is asked whose network it is, by RDAP (rdap.org) or with the program whois: they learn then whom you look at.',
    options: [option('--online', 'ask a registry, too, whose network it is')],
    examples: ['sallyport whois 203.0.113.7', 'sallyport whois 203.0.113.7 --online'],
    run: async (call) => (await import('../commands/access.js')).whois(call),
  },
];
