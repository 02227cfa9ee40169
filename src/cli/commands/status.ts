import type { Call } from '../call.js';
import { renderStatus } from '../render/status.js';

export async function status(call: Call): Promise<number> {
  const client = await call.client();
  const found = await client.call('status', {});
  if (call.json) call.printJson(found);
  else call.print(await renderStatus(call.terminal, found));
  return 0;
}
