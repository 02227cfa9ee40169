/** What `sallyport knock --help` prints. */
export const KNOCK_HELP = `Usage: sallyport knock HOST --ports tcp/21234,udp/28111,tcp/24711 [--wait tcp/22]

Sends the secret knock of your card to HOST, which then lets this address in for a while.

HOST is a name, an IPv4 address or an IPv6 address (fe80::1%eth0 for a link-local one).

The ports, from one of:
  --ports LIST         the knocks in their order: tcp/PORT or udp/PORT, with commas between
  --ports-file FILE    a file that holds such a list (lines with # are remarks; - is standard input)
  SALLYPORT_PORTS      the same list in the environment
  The list is a secret. What follows --ports can be read by every user of this machine in its list of
  processes, and stays in the history of your shell: a file of mode 600 or the environment keeps it to yourself.

Did it work?
  --wait tcp/PORT      after the knock, try to connect to this port until it can be reached, and knock again if
                       it cannot. Without it one round is sent, and nobody can tell here whether it worked. A
                       UDP port cannot be waited for, since an open one need not answer.
  --tries N            rounds at most, with growing pauses between them (default 3, up to 10; needs --wait)

Options:
  -4, -6               IPv4 only, IPv6 only. Otherwise the first address of each kind is tried in turn.
  --delay TIME         pause between two packets, so that they arrive in order (default 150ms, up to 5s)
  --json               the result as one line: {"host", "address", "open": true|false|null, "tries", "elapsed_ms", ...};
                       open is null without --wait
  -q, --quiet          nothing but errors
  --config FILE        taken as every command takes it, and not read: knocking needs no configuration
  -h, --help           this text

Examples:
  sallyport knock office.example.org --ports-file ~/.config/office.knock --wait tcp/22 && ssh office.example.org
  pass show office-knock | sallyport knock 2001:db8::7 --ports-file -

Exit status: 0 open, or sent where --wait is not given; 1 still shut, or failed; 2 wrong usage.
NO_COLOR turns the colours off.
`;
