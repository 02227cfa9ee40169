/** What a running gateway uses, looked at from outside. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export class Sampler {
  samples = [];
  #o;
  #startedAt = performance.now();
  #timer;
  #sets;

  /**
   * @param {{daemon: import('../lib/gateway.mjs').GatewayProcess, gateway: import('../lib/namespaces.mjs').Machine,
   *   state: string, more: () => object}} options `state`: its directory; `more`: what else belongs to a sample
   */
  constructor(options) {
    this.#o = options;
  }

  start(everySeconds) {
    this.#timer = setInterval(() => void this.take().catch(() => {}), everySeconds * 1000);
  }

  stop() {
    clearInterval(this.#timer);
  }

  async take() {
    const { daemon, state, more } = this.#o;
    const proc = (name) => join('/proc', String(daemon.pid), name);
    const status = readFileSync(proc('status'), 'utf8');
    const kilobytes = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
    const sample = {
      minute: (performance.now() - this.#startedAt) / 60_000,
      rss_mb: kilobytes('VmRSS') / 1024,
      anon_mb: kilobytes('RssAnon') / 1024,
      threads: kilobytes('Threads'),
      fds: readdirSync(proc('fd')).length,
      cpu_s: cpuSeconds(readFileSync(proc('stat'), 'utf8')),
      store_mb: megabytes(join(state, 'sallyport.db')),
      wal_mb: megabytes(join(state, 'sallyport.db-wal')),
      ...more(),
    };
    const answer = await daemon.api('GET', '/v1/status');
    sample.grants = answer.grants.length;
    sample.told = numbersOf({ ...answer, grants: undefined });
    sample.elements = await this.#elements();
    this.samples.push(sample);
    return sample;
  }

  async #elements() {
    const { gateway } = this.#o;
    this.#sets ??= (await listSets(gateway)).filter((name) => name.endsWith('_4'));
    const counts = {};
    for (const name of this.#sets) {
      const { code, stdout } = await gateway.run('nft', ['-j', 'list', 'set', 'inet', 'sallyport', name]);
      // While the guard is being put up again there is none.
      if (code === 0) counts[name.replace(/_4$/, '')] = elementsOf(stdout).length;
    }
    return counts;
  }
}

/** The elements of the sets of grants, as the kernel lists them: address, what is left in seconds, comment. */
export async function grantElements(gateway) {
  const found = [];
  for (const set of await listSets(gateway)) {
    const listed = elementsOf(await gateway.mustRun('nft', ['-j', 'list', 'set', 'inet', 'sallyport', set]));
    for (const { elem } of listed) found.push({ value: elem.val, left: elem.expires, comment: elem.comment ?? null });
  }
  return found;
}

/** The names of the sets that hold single addresses with a grant. */
async function listSets(gateway) {
  const { nftables } = JSON.parse(await gateway.mustRun('nft', ['-j', '-t', 'list', 'sets', 'inet']));
  const names = nftables.flatMap(({ set }) => (set?.table === 'sallyport' ? [set.name] : []));
  return names.filter((name) => /^grant_/.test(name) && !/^grant_held_/.test(name));
}

function elementsOf(listing) {
  return JSON.parse(listing).nftables.flatMap(({ set }) => set?.elem ?? []);
}

function megabytes(path) {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) / 2 ** 20;
}

/** User and system time (proc(5): fields 14 and 15, in hundredths of a second on Linux). */
function cpuSeconds(stat) {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Every number in an answer by its path: what a later version tells of itself is sampled without being known here. */
function numbersOf(value, path = '', found = {}) {
  if (typeof value === 'number') found[path] = value;
  else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) numbersOf(inner, path === '' ? key : `${path}.${key}`, found);
  }
  return found;
}
