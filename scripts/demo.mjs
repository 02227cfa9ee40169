/**
 * `npm run demo`: the whole story on one machine, in network namespaces: who stays out, who gets in, and when it ends. Each
 * claim is looked at on real packets; the first that does not hold ends the demo with exit status 1.
 */

import { Screen } from './demo/screen.mjs';
import { NotSeen, tell } from './demo/story.mjs';
import { AS_ROOT } from './lib/checkout.mjs';
import { Wire } from './lib/namespaces.mjs';
import { runScript, setUp } from './lib/setup.mjs';

await runScript(async () => {
  if (!AS_ROOT) {
    process.stderr.write('The demo makes network namespaces, which only root may; try: sudo npm run demo\n');
    return 1;
  }
  await setUp();
  const wire = Wire.create('spd', ['gateway', 'laptop', 'stranger']);
  const screen = new Screen();
  try {
    await tell(wire, screen);
    return 0;
  } catch (error) {
    screen.calm();
    if (!(error instanceof NotSeen)) throw error;
    process.stderr.write(`\nThe demo ends here: this was not seen: ${error.message}\n${error.log}`);
    return 1;
  } finally {
    wire.remove();
  }
});
