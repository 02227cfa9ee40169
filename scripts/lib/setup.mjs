/** Makes ready what is missing in a bare clone, and nothing else: a second run takes about a tenth of a second. */

import { installWithApt } from './apt.mjs';
import { ensureBuild } from './build.mjs';
import { AS_ROOT, giveBack, workedAsRoot } from './checkout.mjs';
import { withLock } from './lock.mjs';
import { ensurePackages } from './packages.mjs';
import { SetupError, say } from './run.mjs';

const OLDEST_NODE = [20, 19];

/**
 * Packages, the host's tools and the build, in this order.
 * @param {{build?: boolean, hostTools?: boolean, force?: boolean}} [parts] what may be left out; `force` builds anyway
 * @throws {SetupError} one line: what failed and what to do
 */
export async function setUp({ build = true, hostTools = true, force = false } = {}) {
  requireNode();
  await withLock(async () => {
    try {
      await ensurePackages();
      if (hostTools) await ensureHostTools();
      if (build) await ensureBuild({ force });
    } finally {
      if (workedAsRoot()) giveBack('node_modules', 'dist', '.cache');
    }
  });
}

/** Runs a script's work; what a user can mend is one line on stderr and exit status 1, not a stack. */
export async function runScript(work) {
  try {
    const code = await work();
    if (code !== undefined) process.exitCode = code;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`${error.output}${error.message}\n`);
    process.exitCode = 1;
  }
}

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  const problem = `this is Node ${process.versions.node}, and Sallyport needs ${OLDEST_NODE.join('.')} or newer`;
  throw new SetupError(problem, 'Install the current LTS from https://nodejs.org and run this again.');
}

async function ensureHostTools() {
  const needs = [
    ['nft', 'nftables'],
    ['ip', 'iproute2'],
  ];
  if (await installWithApt(needs, 'the firewall is nftables, read and written with these')) return;
  say(`without them no port is guarded. Install them: ${AS_ROOT ? '' : 'sudo '}apt-get install nftables iproute2`);
}
