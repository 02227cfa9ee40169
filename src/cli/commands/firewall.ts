import type { FirewallView } from '../../control/contract/views.js';
import type { Call } from '../call.js';
import { moment, remaining } from '../render/access.js';
import { pairs, table } from '../render/table.js';
import type { Format } from '../render/terminal.js';
import { clean, list } from '../text.js';

/** Asks for the state of the guard, or changes it, and shows how it stands then. */
export async function show(
  call: Call,
  route: 'firewall' | 'applyFirewall' | 'confirmFirewall' | 'rollbackFirewall',
): Promise<number> {
  const client = await call.client();
  const found = await client.call(route, {});
  if (call.json) call.printJson(found);
  else call.print(await render(call, found));
  return 0;
}

const COLORS: Readonly<Record<FirewallView['state'], Format>> = {
  guarding: 'green',
  provisional: 'yellow',
  reverted: 'red',
  open: 'red',
  waiting: 'red',
  failed: 'red',
  none: 'red',
};

async function render({ terminal }: Call, found: FirewallView): Promise<string> {
  const facts: [string, string][] = [['state', terminal.paint(COLORS[found.state], found.state)]];
  if (found.detail !== null) facts.push(['detail', clean(found.detail)]);
  if (found.reverts_in_s !== null) {
    const at = found.reverts_at === null ? '' : ` (${moment(found.reverts_at)})`;
    facts.push(['reverts', `in ${remaining(found.reverts_in_s)}${at}; keep it: sallyport firewall confirm`]);
  }
  facts.push(
    ['policy', clean(found.policy)],
    ['driver', clean(found.driver)],
    ['on expiry', clean(found.on_expiry)],
    ['pool', clean(found.pool)],
  );
  const rows = found.guarded.map(({ service, ports }) => [terminal.paint('bold', clean(service)), list(ports)]);
  const guarded = rows.length > 0 ? await table(terminal, ['guarded', 'ports'], rows) : 'No service is guarded.';
  return `${pairs(terminal, facts)}\n\n${guarded}`;
}
