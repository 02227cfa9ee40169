import type { SetUserRequest } from '../../control/contract/requests.js';
import type { UserCard, UserView } from '../../control/contract/views.js';
import { SallyportError } from '../../core/errors.js';
import type { Call } from '../call.js';
import { moment, remaining } from '../render/access.js';
import { pairs, table } from '../render/table.js';
import { readSecret } from '../secret.js';
import { clean, count, list as names } from '../text.js';

export async function add(call: Call): Promise<number> {
  const body = { name: call.subject, ...(await options(call)) };
  const client = await call.client();
  return showCard(call, await client.call('addUser', { body }));
}

export async function set(call: Call): Promise<number> {
  const body = await options(call);
  if (Object.keys(body).length === 0) throw new SallyportError('SP_USAGE', { problem: 'there is nothing to change' });
  const client = await call.client();
  const user = await client.call('setUser', { params: { name: call.subject }, body });
  showUser(call, user);
  if (!call.json && (body.knock !== undefined || body.length !== undefined)) {
    call.print(`\nThe sequence is new: sallyport user card ${clean(user.name)}`);
  }
  return 0;
}

export async function list(call: Call): Promise<number> {
  const client = await call.client();
  const users = await client.call('users', {});
  if (call.json) call.printJson(users);
  else if (users.length === 0) call.print('There are no users. Add one: sallyport user add NAME');
  else {
    const rows = users.map((user) => [
      call.terminal.paint('bold', clean(user.name)),
      names(user.services),
      ttl(user),
      String(user.ports),
      `${user.open} of ${user.max_addresses}`,
      clean(user.account ?? '-'),
      user.pin_set ? 'yes' : 'no',
      user.approval,
    ]);
    call.print(
      await table(call.terminal, ['user', 'services', 'ttl', 'ports', 'open', 'account', 'pin', 'approval'], rows),
    );
  }
  return 0;
}

export async function show(call: Call): Promise<number> {
  const client = await call.client();
  showUser(call, await client.call('user', { params: { name: call.subject } }));
  return 0;
}

export async function remove(call: Call): Promise<number> {
  const client = await call.client();
  const result = await client.call('removeUser', { params: { name: call.subject } });
  if (call.json) call.printJson(result);
  else call.print(`removed: ${clean(result.removed.name)}; ${count(result.revoked.length, 'grant', 'grants')} ended`);
  return 0;
}

export async function card(call: Call): Promise<number> {
  const client = await call.client();
  return showCard(call, await client.call('card', { params: { name: call.subject } }));
}

export async function rotate(call: Call): Promise<number> {
  const client = await call.client();
  return showCard(call, await client.call('rotate', { params: { name: call.subject } }));
}

async function options(call: Call): Promise<SetUserRequest> {
  const given = call.given<SetUserRequest & { maxAddresses: number }>(
    'services',
    'ttl',
    'knock',
    'account',
    'length',
    'approval',
    'number',
    'maxAddresses',
  );
  const { maxAddresses, ...same } = given;
  const body: SetUserRequest = same;
  if (maxAddresses !== undefined) body.max_addresses = maxAddresses;
  if (call.flag('knockStdin')) body.knock = await readKnock(call);
  if (call.flag('pinStdin')) body.pin = await readPin(call);
  return body;
}

async function readKnock(call: Call): Promise<string> {
  const knock = await readSecret(call.io, 'Ports of the knock, such as tcp/21234,udp/28111,tcp/24711 (not shown): ');
  if (knock === '') throw new SallyportError('SP_USAGE', { problem: 'no ports came on standard input' });
  return knock;
}

async function readPin(call: Call): Promise<string> {
  const pin = await readSecret(call.io, 'PIN, 6 digits or more (not shown): ');
  if (!/^\d{6,32}$/.test(pin)) throw new SallyportError('SP_PIN_INVALID');
  return pin;
}

async function showCard(call: Call, found: UserCard): Promise<number> {
  if (call.json) call.printJson(found);
  else call.print((await call.io.renderCard(found)).trimEnd());
  return 0;
}

function showUser(call: Call, user: UserView): void {
  if (call.json) {
    call.printJson(user);
    return;
  }
  call.print(
    pairs(call.terminal, [
      ['name', call.terminal.paint('bold', clean(user.name))],
      ['services', names(user.services)],
      ['ttl', ttl(user)],
      ['open', `${user.open} of ${user.max_addresses} addresses`],
      ['ports', String(user.ports)],
      ['account', clean(user.account ?? '-')],
      ['pin', user.pin_set ? 'set' : 'not set'],
      ['approval', approval(user)],
      ...(user.number === null ? [] : [['number', clean(user.number)] as const]),
      ['added', moment(user.created_at)],
    ]),
  );
}

function ttl({ ttl_s }: UserView): string {
  return ttl_s === null ? 'default' : remaining(ttl_s);
}

/** Whose yes a knock takes, and what hinders them from giving it. */
function approval({ approval: how, account, pin_set }: UserView): string {
  if (how === 'none') return 'none: a knock opens';
  const text = how === 'phone' ? 'phone: a knock waits for a yes' : 'callback: a knock has the number rung for a yes';
  const missing = [...(how === 'phone' && account === null ? ['no account'] : []), ...(pin_set ? [] : ['no PIN'])];
  return missing.length === 0 ? text : `${text}, which cannot be given: ${missing.join(', ')}`;
}
