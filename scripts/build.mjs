/** `npm run build`: makes dist from src, and what that needs. */
import { ensureBuild } from './lib/build.mjs';
import { runScript, setUp } from './lib/setup.mjs';

await runScript(async () => {
  await setUp({ build: false, hostTools: false });
  await ensureBuild({ force: true });
});
