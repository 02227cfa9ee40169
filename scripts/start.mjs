/**
 * `npm start`: makes ready what is missing, then becomes the gateway. The daemon runs in this very process, so that
 * SIGTERM and SIGINT reach it and nothing is orphaned.
 */
import { AS_ROOT } from './lib/checkout.mjs';
import { say } from './lib/run.mjs';
import { runScript, setUp } from './lib/setup.mjs';

await runScript(async () => {
  await setUp();
  if (!AS_ROOT)
    say('not root: the kernel lets nobody else change its firewall, so no port is guarded; try: sudo npm start');
  const { start } = await import('../dist/main.js');
  return start(process.argv.slice(2));
});
