/** `npm run build`: makes dist from src, and what that needs. */
import { runScript, setUp } from './lib/setup.mjs';

await runScript(() => setUp({ hostTools: false, force: true }));
