/** Programs of other projects that `npm test` fetched into a folder of their own (scripts/lib/peers.mjs). */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A program with what its environment needs, or the reason why it is not there (for `ctx.skip(reason)`). */
export type Peer =
  | { readonly path: string; readonly env: Readonly<Record<string, string>>; readonly reason?: undefined }
  | { readonly path?: undefined; readonly env?: undefined; readonly reason: string };

const FALLBACK = fileURLToPath(new URL('../../.cache/peers', import.meta.url));

/** Debian's `knock`, the client of knockd. */
export function knockProgram(): Peer {
  return peerProgram('usr/bin/knock');
}

/** systemd's tool that rates units: the machine's own, or Debian's. */
export function systemdAnalyze(): Peer {
  const own = '/usr/bin/systemd-analyze';
  return existsSync(own) ? { path: own, env: {} } : peerProgram('usr/bin/systemd-analyze');
}

/** A program by its place in the packages, such as `usr/bin/nmap`. */
export function peerProgram(program: string): Peer {
  const folder = process.env.SALLYPORT_PEERS ?? FALLBACK;
  const path = join(folder, program);
  if (existsSync(path)) {
    const env = {
      LD_LIBRARY_PATH: libraries(folder).join(':'),
      NMAPDIR: join(folder, 'usr/share/nmap'),
      XTABLES_LIBDIR: libraries(folder)
        .map((one) => join(one, 'xtables'))
        .join(':'),
    };
    return { path, env };
  }
  return { reason: process.env.SALLYPORT_PEERS_MISSING ?? `${program} is not there: "npm test" fetches it` };
}

/** Debian keeps libraries in a folder per architecture, under /usr/lib or, before the two were merged, under /lib. */
function libraries(folder: string): string[] {
  return ['usr/lib', 'lib']
    .map((name) => join(folder, name))
    .filter((path) => existsSync(path))
    .flatMap((path) => readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory()))
    .map((entry) => join(entry.parentPath, entry.name))
    .flatMap((path) => [path, join(path, 'systemd')]);
}
