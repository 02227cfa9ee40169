/**
 * `npm test [-- filter…]`: makes ready what the tests need, runs them, and ends with the count on a line alone.
 * Without root the lab is left out, and counted as skipped.
 */
import { hasProgram } from './lib/apt.mjs';
import { fetchAsterisk } from './lib/asterisk.mjs';
import { AS_ROOT, giveBack } from './lib/checkout.mjs';
import { fetchPeers } from './lib/peers.mjs';
import { say } from './lib/run.mjs';
import { runScript, setUp } from './lib/setup.mjs';
import { runVitest, skippedProject, summaryLines } from './lib/vitest.mjs';

/** Debian packages of the programs that the tests speak with, or look at the gateway with. */
const PEERS = ['knockd', 'nmap', 'nmap-common', 'iputils-ping', 'iptables', 'wireguard-tools', 'wireguard-go'];

const NO_ROOT = 'the lab makes network namespaces, which only root may';

let result = { passed: 0, failed: 1, skipped: [] };
await runScript(async () => {
  try {
    await setUp();
    result = await runTests(process.argv.slice(2));
  } finally {
    giveBack('.cache', 'node_modules/.vite-temp');
  }
});
if (result.failed > 0 || result.passed === 0) process.exitCode = 1;
console.log(`\n${summaryLines(result).join('\n')}`);

async function runTests(args) {
  // Debian's systemd, for the tool that rates our units.
  const peers = await fetchPeers([...PEERS, ...(hasProgram('systemd-analyze') ? [] : ['systemd'])]);
  if (peers.missing) say(`left out: ${peers.missing}`);
  const asterisk = await fetchAsterisk();
  if (asterisk.missing) say(`left out: ${asterisk.missing}`);
  const env = {
    ...(peers.folder ? { SALLYPORT_PEERS: peers.folder } : { SALLYPORT_PEERS_MISSING: peers.missing }),
    ...(asterisk.folder ? { SALLYPORT_ASTERISK: asterisk.folder } : { SALLYPORT_ASTERISK_MISSING: asterisk.missing }),
  };
  if (AS_ROOT) return runVitest(args, env);
  say(`left out: ${NO_ROOT}; try: sudo npm test`);
  const unit = await runVitest(['--project=unit', '--passWithNoTests', ...args], env);
  const left = [await skippedProject('alone', NO_ROOT, args), await skippedProject('lab', NO_ROOT, args)];
  const failed = left.reduce((sum, one) => sum + one.failed, unit.failed);
  return { passed: unit.passed, failed, skipped: [unit, ...left].flatMap(({ skipped }) => skipped) };
}
