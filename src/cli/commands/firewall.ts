import type { ApplyRequest } from '../../control/contract/requests.js';
import type { FirewallView, PlanView } from '../../control/contract/views.js';
import type { Call } from '../call.js';
import { moment, remaining } from '../render/access.js';
import { pairs, table } from '../render/table.js';
import type { Format } from '../render/terminal.js';
import { clean, list } from '../text.js';

/** Asks for the state of the guard, or ends what is provisional, and shows how it stands then. */
export async function show(call: Call, route: 'firewall' | 'confirmFirewall' | 'rollbackFirewall'): Promise<number> {
  const client = await call.client();
  return await answer(call, await client.call(route, {}));
}

/** Brings the rules to the configuration, and says in what they differ from before. */
export async function apply(call: Call): Promise<number> {
  const client = await call.client();
  const body = { ...call.given<ApplyRequest>('for'), ...(await call.forceOrPeers()) };
  const found = await client.call('applyFirewall', { body });
  if (!call.json) {
    const { changes = [], replaced } = found;
    const isUp = found.state === 'guarding' || found.reverts_to === 'previous';
    if (replaced === true) call.print('A change was waiting to be confirmed: it is gone.');
    if (changes.length > 0) call.print(`${renderChanges(call, changes)}\n`);
    else if (isUp) call.print('Nothing to change: the rules are as the configuration asks.\n');
  }
  return await answer(call, found);
}

/** Says what the configuration would change. */
export async function plan(call: Call): Promise<number> {
  const client = await call.client();
  const found = await client.call('planFirewall', { body: await call.peers() });
  if (call.json) call.printJson(found);
  else call.print(renderPlan(call, found));
  return 0;
}

function renderPlan(call: Call, { changes, cuts, last_way_in, in_use, restart, state }: PlanView): string {
  const { terminal } = call;
  const down = ['open', 'reverted', 'waiting'].includes(state)
    ? ['The guard is down: nothing is closed, whatever the rules say.']
    : [];
  const warnings = [
    ...cuts.map((address) => `It shuts out ${clean(address)}, who is logged in over SSH now.`),
    ...(last_way_in ? ['Nobody could get in to SSH any more: it closes the last way in.'] : []),
    ...in_use.map(
      ({ service, by }) => `The service ${clean(service)} would be gone, and is still that of ${list(by)}.`,
    ),
  ];
  const lines = [
    ...down,
    ...(changes.length > 0 ? [renderChanges(call, changes)] : down.length > 0 ? [] : ['Nothing would change.']),
    ...warnings.map((text) => terminal.paint('red', text)),
    ...(restart.length === 0 ? [] : [`Takes a restart of the daemon: ${list(restart)}`]),
    ...(changes.length + down.length > 0 ? ['Do it, provisionally: sallyport firewall apply'] : []),
  ];
  return lines.join('\n');
}

function renderChanges({ terminal }: Call, changes: PlanView['changes']): string {
  return changes
    .map(
      ({ effect, text }) =>
        `${terminal.paint(effect === 'closes' ? 'yellow' : 'dim', effect.padEnd(7))} ${clean(text)}`,
    )
    .join('\n');
}

async function answer(call: Call, found: FirewallView): Promise<number> {
  if (call.json) call.printJson(found);
  else call.print(await render(call, found));
  if (!call.json && found.unsaved !== null) {
    call.warn(`not kept for the next boot, which brings the rules of before: ${clean(found.unsaved)}`);
  }
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
  if (found.state === 'open' || found.state === 'reverted')
    facts.push(['means', 'everything is open; guard again: sallyport firewall apply']);
  if (found.detail !== null) facts.push(['detail', clean(found.detail)]);
  if (found.reverts_in_s !== null) {
    const at = found.reverts_at === null ? '' : ` (${moment(found.reverts_at)})`;
    const to = found.reverts_to === 'previous' ? 'to the previous rules ' : '';
    facts.push(['reverts', `${to}in ${remaining(found.reverts_in_s)}${at}; keep it: sallyport firewall confirm`]);
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
