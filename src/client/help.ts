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

/** What `sallyport pair --help` prints. */
export const PAIR_HELP = `Usage: sallyport pair HOST --ports tcp/21234,udp/28111,udp/24711 [--wait tcp/22] [--extension 864]

Sends the secret knock of your card to HOST with a pairing code of six digits, and shows the code. Nothing opens until you
confirm it on the phone: call the PBX, give your account and PIN, choose 2, and type the code. The address that
this machine is seen with is let in then, IPv4 or IPv6, and nobody has to spell it.

HOST is a name, an IPv4 address or an IPv6 address (fe80::1%eth0 for a link-local one). Of a name the first address is taken
that packets leave for: the same code from two addresses of yours would be void.

The ports, from one of:
  --ports LIST         the knocks in their order, the last of them UDP: a TCP one cannot carry a code
  --ports-file FILE    a file that holds such a list (lines with # are remarks; - is standard input)
  SALLYPORT_PORTS      the same list in the environment
  The list is a secret; sallyport knock --help says how to keep it.

Options:
  --wait tcp/PORT      wait until this port can be reached, five minutes at most, and knock again now and then with
                       the same code, in case a packet was lost. Without it three rounds are sent, within ten
                       seconds, and nobody can tell here whether the code is confirmed.
  --extension NUMBER   what to call, as your telephone dials it (usually 864); it is shown with the code
  -4, -6               IPv4 only, IPv6 only
  --delay TIME         pause between two packets, so that they arrive in order (default 150ms, up to 5s)
  --json               one object a line: {"event": "code", "code", "extension", "valid_s", ...}, and when it is over
                       {"event": "result", "host", "address", "open": true|false|null, "rounds", "elapsed_ms", ...}
                       or {"event": "stopped", "code"}
  -q, --quiet          nothing but the code and errors
  --config FILE        taken as every command takes it, and not read: pairing needs no configuration
  -h, --help           this text

Example:
  sallyport pair office.example.org --ports-file ~/.config/office.knock --wait tcp/22 && ssh office.example.org

Exit status: 0 open, or sent where --wait is not given; 1 still shut, or failed; 2 wrong usage; 130 stopped with Ctrl-C (the
code is good for the rest of its time all the same).
NO_COLOR turns the colours off.
`;
