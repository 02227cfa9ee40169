import { readCatalogue } from './config/catalogue.js';
import type { Config } from './config/config.js';
import { loadConfig, readConfig } from './config/load.js';
import { notices } from './config/notices.js';
import { poolProblems } from './config/pool.js';
import { formatProblem } from './config/problem.js';
import { providerNotices } from './config/provider-notices.js';
import type { Refused } from './config/schema-file.js';
import { isSallyportError, SallyportError } from './core/errors.js';
import type { ImportGround } from './core/import/plan.js';
import type { Catalogue } from './core/provider.js';
import { entriesOf } from './core/rules.js';
import { panic } from './firewall/nftables-firewall.js';
import { localPortRange, ownAddresses } from './host/addresses.js';
import { heardProtocols } from './layout.js';
import { describeOdds, findOdds, mendOdds, viewOdds } from './odds.js';
import { storedUsers } from './stored.js';
import { unheardInStore } from './unheard.js';

/** Where the daemon of this configuration listens. */
export async function controlSocketOf(file: string): Promise<string> {
  return (await loadConfig(file)).control.socket;
}

/** What an import of other programs' rules has to fit to. */
export async function importGround(file: string): Promise<ImportGround> {
  const config = await loadConfig(file);
  return {
    services: config.services,
    pool: config.knock.pool,
    protocols: heardProtocols(config),
    maxTtl: config.grants.maxTtl,
    ownAddresses: ownAddresses(),
    cuts: config.firewall.onExpiry === 'cut',
  };
}

/** `sallyport check`: says what is wrong with the configuration, each with its line, and how hard guessing a knock is. */
export async function check({ file, json }: { file: string; json: boolean }): Promise<number> {
  const result = await readConfig(file);
  const users = result.ok ? await storedUsers(result.config.state.directory) : undefined;
  const guess = result.ok ? findOdds(result.config, users) : undefined;
  const tooEasy = result.ok && guess !== undefined ? mendOdds(guess, result.config) : undefined;
  const catalogue = result.ok
    ? await readCatalogue(result.config.providers).catch((error) => unreadable(file, error))
    : undefined;
  const remarks = [
    ...(result.ok ? [...notices(result.config), ...unheardInStore(result.config, users)] : []),
    ...(result.ok && catalogue?.ok ? aboutProviders(result.config, catalogue.catalogue) : []),
    ...(tooEasy === undefined ? [] : [tooEasy]),
  ];
  const localPorts = await localPortRange();
  const host = result.ok && localPorts !== undefined ? poolProblems(result.config.knock.pool, localPorts) : [];
  const problems = [result, catalogue].flatMap((one) => (one?.ok === false ? one.problems : []));
  const isGood = problems.length + host.length === 0;
  if (json) {
    const onHost = host.map((message) => ({ file, line: null, column: null, path: 'knock.pool', message }));
    const odds = guess === undefined ? null : viewOdds(guess);
    const view = { ok: isGood, problems: [...problems, ...onHost], notices: remarks, odds };
    process.stdout.write(`${JSON.stringify(view)}\n`);
    return isGood ? 0 : 1;
  }
  for (const problem of problems) process.stderr.write(`${formatProblem(problem)}\n`);
  for (const message of host) process.stderr.write(`${file}: ${message}\n`);
  for (const remark of remarks) process.stdout.write(`note: ${remark}\n`);
  const lines = result.ok && guess !== undefined ? describeOdds(guess, result.config) : [];
  for (const line of lines) process.stdout.write(`${line}\n`);
  if (isGood) process.stdout.write(`${file} is good.\n`);
  return isGood ? 0 : 1;
}

function aboutProviders(config: Config, catalogue: Catalogue): string[] {
  return providerNotices(catalogue, {
    configured: config.trusted.providers,
    byCommand: [],
    entries: entriesOf({ entries: config.trusted.addresses }),
    names: config.trusted.names.map(({ name }) => name),
  });
}

/** A catalogue that cannot be read, as something wrong in the configuration, which names it. */
function unreadable(file: string, error: unknown): Refused {
  if (!isSallyportError(error)) throw error;
  return { ok: false, problems: [{ file, line: 1, column: 1, path: 'providers.catalogue', message: error.message }] };
}

/**
 * `sallyport firewall panic`: opens everything at once, with or without a daemon, and whatever the configuration says: rules of
 * an earlier one may be there.
 */
export async function panicNow({ file, json }: { file: string; json: boolean }): Promise<number> {
  try {
    await panic();
  } catch (error) {
    const config = await loadConfig(file).catch(() => undefined);
    if (config?.firewall.driver !== 'none') throw error;
    throw new SallyportError('SP_FIREWALL_NONE', { what: 'open' }, error);
  }
  if (json) process.stdout.write(`${JSON.stringify({ state: 'open' })}\n`);
  else {
    process.stdout.write(
      'EVERYTHING IS OPEN: no rule of Sallyport holds any more, and anybody reaches every port.\n' +
        'A running daemon leaves it so. Close it again with: sallyport firewall apply\n',
    );
  }
  return 0;
}
