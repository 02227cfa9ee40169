/** Runs in a process of its own: one scenario, named by the first message; what it measured is the answer. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Progress } from './progress.mjs';
import { loadScenarios } from './scenarios.mjs';

process.once('message', async ({ id, quick, peers, asterisk }) => {
  const directory = mkdtempSync(join(tmpdir(), `sallyport-bench-${id}-`));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  // Where the one who asked is gone, nobody wants the answer: the exit takes down what was made.
  process.once('disconnect', () => process.exit(1));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
  const progress = new Progress();
  try {
    const scenario = (await loadScenarios()).find((one) => one.id === id);
    const measured = await scenario.run({ quick, progress, peers, asterisk, directory });
    progress.end();
    answer({ measured });
  } catch (error) {
    progress.end();
    process.stderr.write(`${error.stack}\n`);
    answer({ failed: error.message });
  }
});

/** Ends once it is sent: a scenario that left something running must not hold the others up. */
function answer(message) {
  process.send(message, () => process.exit(0));
}
