import { formatSequence, type Sequence } from '../core/sequence.js';
import { printableHost } from './host.js';

/** What stands for a host that is not known, or that must not be put into a script. */
export const HOST_PLACEHOLDER = 'YOUR-SERVER';

/** The pause between two packets, for tools that are not ours: they start anew for each, which may take a while. */
const PAUSE_MS = 300;
const PAUSE_S = '0.3';

/** The host as it may stand in a script: a valid address or name, else the placeholder. */
export function snippetHost(host: string): string {
  return printableHost(host) ?? HOST_PLACEHOLDER;
}

export function sallyportCommand(host: string, sequence: Sequence, waitPort?: string): string {
  return `sallyport knock ${knockWords(host, sequence, waitPort)}`;
}

/** A knock that is confirmed by phone. */
export function pairCommand(host: string, sequence: Sequence, extension: string, waitPort?: string): string {
  // A shell takes * and # for something else; they are typed by hand then.
  const call = /^\d{1,24}$/.test(extension) ? ` --extension ${extension}` : '';
  return `sallyport pair ${knockWords(host, sequence, waitPort)}${call}`;
}

function knockWords(host: string, sequence: Sequence, waitPort: string | undefined): string {
  const wait = waitPort !== undefined && /^tcp\/[1-9]\d{0,4}$/.test(waitPort) ? ` --wait ${waitPort}` : '';
  return `${snippetHost(host)} --ports ${formatSequence(sequence)}${wait}`;
}

/** For the `knock` of Debian's package knockd (`-d` takes milliseconds). */
export function debianKnockCommand(host: string, sequence: Sequence): string {
  return `knock -d 200 ${snippetHost(host)} ${sequence.map(({ protocol, port }) => `${port}:${protocol}`).join(' ')}`;
}

/**
 * One line for each knock, for bash and coreutils. Opening /dev/udp sends nothing, so a line is written to it; opening
 * /dev/tcp waits for an answer that never comes, so it is ended before the kernel sends its SYN again after a second.
 */
export function bashSnippet(host: string, sequence: Sequence): string {
  const to = snippetHost(host);
  return sequence
    .map(({ protocol, port }) => {
      const send =
        protocol === 'udp'
          ? `echo > /dev/udp/${to}/${port}`
          : `timeout ${PAUSE_S} bash -c ': > /dev/tcp/${to}/${port}'`;
      return `${send}; sleep ${PAUSE_S}`;
    })
    .join('\n');
}

/**
 * For Windows PowerShell 5.1 and PowerShell 7. The family is named because the two differ in what they take by default,
 * and all packets must come from one address; a name is knocked on over IPv4. A single-quoted string expands nothing.
 */
export function powershellSnippet(host: string, sequence: Sequence): string {
  const to = snippetHost(host);
  const family = to.includes(':') ? 'InterNetworkV6' : 'InterNetwork';
  const lines = sequence.map(({ protocol, port }) => {
    const sleep = `Start-Sleep -Milliseconds ${PAUSE_MS}`;
    return protocol === 'udp'
      ? `$u = [Net.Sockets.UdpClient]::new($f); [void]$u.Send([byte[]]@(10), 1, '${to}', ${port}); $u.Close(); ${sleep}`
      : `$t = [Net.Sockets.TcpClient]::new($f); [void]$t.BeginConnect('${to}', ${port}, $null, $null); ${sleep}; $t.Close()`;
  });
  return [`$f = [Net.Sockets.AddressFamily]::${family}`, ...lines].join('\n');
}
