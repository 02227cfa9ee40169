/** Starts an Asterisk with the options given as JSON, says its process id, and never ends it. */
import { AsteriskServer } from '../../../scripts/lib/asterisk-server.mjs';

const asterisk = new AsteriskServer(JSON.parse(process.argv[2]));
await asterisk.start();
console.log(asterisk.pid);
setInterval(() => {}, 60_000);
