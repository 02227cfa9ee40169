import type { ErrorTable } from './entry.js';

/** The client that knocks. */
export const CLIENT_ERRORS = {
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
} as const satisfies ErrorTable;
