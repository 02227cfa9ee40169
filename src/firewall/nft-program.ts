import { execFile, spawn } from 'node:child_process';
import { SallyportError } from '../core/errors.js';

/** Told of each `nft` process that changes something, so that its change is not taken for somebody else's. */
export type OnStarted = (pid: number) => void;

const TIMEOUT_MS = 60_000;
const ENV = { PATH: '/usr/sbin:/sbin:/usr/bin:/bin', LC_ALL: 'C' };

/**
 * Loads commands in nft's language as one transaction. The pieces are written as nft takes them, so a large ruleset never
 * holds the event loop.
 * @throws SP_NFT_MISSING, SP_FIREWALL_DENIED, SP_FIREWALL_FAILED
 */
export async function nftLoad(pieces: Iterable<string>, onStarted?: OnStarted): Promise<void> {
  const child = spawn('nft', ['-f', '-'], { env: ENV, stdio: ['pipe', 'ignore', 'pipe'] });
  // Not spawn's own limit, whose timer outlives a child that could not be started.
  const limit = setTimeout(() => child.kill(), TIMEOUT_MS);
  const ended = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  ended.catch(() => undefined);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (stderr.length < 20_000) stderr += text;
  });
  child.stdin.on('error', () => undefined);
  if (child.pid !== undefined) onStarted?.(child.pid);
  try {
    for (const piece of pieces) {
      if (child.exitCode !== null || child.stdin.destroyed) break;
      if (!child.stdin.write(piece)) await drained(child.stdin);
    }
    child.stdin.end();
    const code = await ended;
    if (code !== 0) throw failure(stderr, code);
  } catch (error) {
    child.kill();
    throw asFault(error);
  } finally {
    clearTimeout(limit);
  }
}

/** What `nft` prints for a listing. @throws as nftLoad; `null` where the object does not exist */
export async function nftList(args: readonly string[]): Promise<string | null> {
  return await new Promise((resolve, reject) => {
    const options = { env: ENV, timeout: TIMEOUT_MS, maxBuffer: 1 << 30 };
    execFile('nft', [...args], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else if (stderr.includes('No such file or directory')) resolve(null);
      else if (typeof error.code === 'string') reject(asFault(error));
      else reject(failure(stderr, error.code ?? null));
    });
  });
}

async function drained(stream: NodeJS.WritableStream & { destroyed: boolean }): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      stream.removeListener('drain', done).removeListener('close', done);
      resolve();
    };
    stream.once('drain', done).once('close', done);
  });
}

/** @param code the exit status; null where nft was killed */
function failure(stderr: string, code: number | null): SallyportError {
  if (stderr.includes('Operation not permitted')) return new SallyportError('SP_FIREWALL_DENIED');
  const plain = code === null ? 'nft did not come to its end' : `nft ended with ${code}`;
  return new SallyportError('SP_FIREWALL_FAILED', { problem: withoutEcho(stderr) || plain });
}

/** nft repeats the line that it refuses, which may hold a sequence: only its own words are kept. */
function withoutEcho(stderr: string): string {
  const line = stderr.split('\n').find((one) => /\bError: /.test(one)) ?? '';
  return line.slice(line.indexOf('Error: ') + 7).slice(0, 200);
}

function asFault(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error && !(error instanceof SallyportError) ? error.code : undefined;
  if (code === 'ENOENT' || code === 'EACCES') return new SallyportError('SP_NFT_MISSING', {}, error);
  if (typeof code !== 'string') return error;
  return new SallyportError('SP_FIREWALL_FAILED', { problem: `nft could not be started (${code})` }, error);
}
