import type { ProviderDetails, ProviderView } from '../../control/contract/views.js';
import type { Call } from '../call.js';
import { trackedCells } from '../render/access.js';
import { pairs, table } from '../render/table.js';
import type { Terminal } from '../render/terminal.js';
import { clean, count, list as words } from '../text.js';

export async function list(call: Call): Promise<number> {
  const client = await call.client();
  const found = await client.call('providers', {});
  if (call.json) {
    call.printJson(found);
    return 0;
  }
  const { terminal } = call;
  const rows = found.map((one) => [
    terminal.paint('bold', clean(one.name)),
    clean(one.title),
    status(terminal, one),
    String(one.names),
    String(one.addresses + one.networks),
    terminal.paint('yellow', firstOf(one.problems)),
  ]);
  call.print(await table(terminal, ['provider', 'title', 'status', 'names', 'addresses', 'problems'], rows));
  return 0;
}

/** Often all have the same cause; provider show has each. */
function firstOf([first, ...more]: readonly string[]): string {
  if (first === undefined) return '';
  return more.length === 0 ? clean(first) : `${clean(first)}, and ${more.length} more`;
}

export async function show(call: Call): Promise<number> {
  const client = await call.client();
  const found = await client.call('provider', { params: { name: call.subject } });
  if (call.json) call.printJson(found);
  else call.print(await render(call, found));
  return 0;
}

export async function enable(call: Call): Promise<number> {
  const client = await call.client();
  const found = await client.call('enableProvider', { params: { name: call.subject } });
  if (call.json) {
    call.printJson(found);
    return 0;
  }
  const ports = found.ports.filter(({ ports }) => ports.length > 0);
  const what = ports.length > 0 ? `to ${ports.map(portsLine).join(', ')}` : 'though none of its ports is closed';
  const until = found.by === 'config' ? 'by the configuration' : 'until it is disabled';
  call.print(`${clean(found.name)} is let in ${what}, ${until}`);
  if (found.names > 0) {
    const names = count(found.names, 'host name is', 'host names are');
    call.print(`Its ${names} looked up now, and tracked: sallyport provider show ${clean(found.name)}`);
  }
  return 0;
}

export async function disable(call: Call): Promise<number> {
  const client = await call.client();
  const found = await client.call('disableProvider', { params: { name: call.subject } });
  if (call.json) call.printJson(found);
  else call.print(`${clean(found.name)} is not let in any more`);
  return 0;
}

async function render({ terminal }: Call, found: ProviderDetails): Promise<string> {
  const facts: [string, string][] = [
    ['name', terminal.paint('bold', clean(found.name))],
    ['title', clean(found.title)],
    ['status', status(terminal, found)],
    ['catalogue', found.source === 'own' ? 'your own' : 'shipped'],
    ...found.ports.map((one): [string, string] => [
      clean(one.service),
      one.ports.length > 0 ? words(one.ports) : 'not closed by the firewall, so there is nothing to open',
    ]),
  ];
  if (found.retired !== null)
    facts.push(['retired', `since ${clean(found.retired.since)}: ${clean(found.retired.why)}`]);
  const rows = found.hosts.map(({ host, services, tracked }) => [
    terminal.paint('bold', clean(host)),
    words(services),
    ...(tracked === null ? ['', '', ''] : trackedCells(terminal, tracked)),
    clean(tracked?.detail ?? ''),
  ]);
  const hosts = await table(terminal, ['host', 'opened', 'addresses', 'state', 'resolved', 'problem'], rows);
  const problems = found.problems.map((problem) => terminal.paint('yellow', clean(problem)));
  return [pairs(terminal, facts), hosts, ...(problems.length > 0 ? [problems.join('\n')] : [])].join('\n\n');
}

const BY = { config: 'enabled by the configuration', command: 'enabled by command' } as const;

function status(terminal: Terminal, { status: how, by }: ProviderView): string {
  if (how === 'enabled' && by !== null) return terminal.paint('green', BY[by]);
  return terminal.paint(how === 'off' ? 'dim' : 'yellow', how);
}

/** `SIP (udp/5060)`. */
function portsLine({ service, ports }: ProviderDetails['ports'][number]): string {
  return `${clean(service)} (${words(ports)})`;
}
