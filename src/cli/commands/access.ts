import type { AllowRequest } from '../../control/contract/requests.js';
import type { Call } from '../call.js';
import {
  entryBlocks,
  entryLine,
  grantLine,
  grantTable,
  moment,
  namedNow,
  remaining,
  WAITS_FOR,
} from '../render/access.js';
import { whoseLines } from '../render/whose.js';
import { clean, count, list as names } from '../text.js';

export async function allow(call: Call): Promise<number> {
  const body = { target: call.subject, ...call.given<AllowRequest>('services', 'for', 'note', 'force') };
  const client = await call.client();
  const result = await client.call('allow', { body });
  if (call.json) {
    call.printJson(result);
    return 0;
  }
  const { grant, entry, listened_to, recorded } = result;
  if (!recorded)
    call.warn('it is not recorded yet, and lost if the machine restarts before it is (see: sallyport status)');
  if (grant) {
    const until = `for ${remaining(grant.remaining_s)}, until ${moment(grant.expires_at)}`;
    call.print(`${clean(grant.address)} is let in to ${names(grant.services)} ${until} (grant ${clean(grant.id)})`);
  }
  if (entry) {
    call.print(
      `${clean(entry.target)} is let in to ${names(entry.services)} until it is removed (entry ${clean(entry.id)})`,
    );
    if (entry.tracked) call.print(namedNow(entry.tracked));
  }
  if (listened_to.length > 0) call.print(listenedAgain(listened_to));
  return 0;
}

/** Names the sources where they are few. */
function listenedAgain(sources: readonly string[]): string {
  const who = sources.length > 3 ? count(sources.length, 'ignored source', 'ignored sources') : names(sources);
  return `the knocks of ${who} are listened to again`;
}

export async function revoke(call: Call): Promise<number> {
  const client = await call.client();
  const body = { what: call.subject, ...(await call.forceOrPeers()) };
  const result = await client.call('revoke', { body });
  if (call.json) call.printJson(result);
  else if (result.revoked.length + result.removed.length + result.dropped.length === 0)
    call.print(`nothing of ${clean(call.subject)} is open`);
  else {
    for (const grant of result.revoked) call.print(`revoked: ${grantLine(grant)}, grant ${clean(grant.id)}`);
    for (const entry of result.removed) call.print(`removed: ${entryLine(entry)}, entry ${clean(entry.id)}`);
    for (const claim of result.dropped)
      call.print(
        `dropped: ${clean(claim.address)} (${clean(claim.user)}), which waited for ${WAITS_FOR[claim.waits_for]}`,
      );
    if (!result.recorded) {
      call.warn('it is not recorded yet, and open again if the gateway is killed before it is (see: sallyport status)');
    }
  }
  return 0;
}

export async function list(call: Call): Promise<number> {
  const client = await call.client();
  const found = await client.call('list', {});
  if (call.json) {
    call.printJson(found);
    return 0;
  }
  const { terminal } = call;
  const blocks: string[] = [];
  if (found.grants.length > 0) {
    blocks.push(
      `${terminal.paint('bold', 'Open until their time is over')}\n${await grantTable(terminal, found.grants)}`,
    );
  }
  blocks.push(...(await entryBlocks(terminal, found.entries)));
  call.print(blocks.length > 0 ? blocks.join('\n\n') : 'Nobody is let in.');
  return 0;
}

export async function whois(call: Call): Promise<number> {
  const client = await call.client();
  const found = await client.call('whois', { params: { address: call.subject } });
  const whose = await call.offline.whose(found.address, call.given<{ online: boolean }>('online').online === true);
  if (call.json) {
    call.printJson({ ...found, whose });
    return 0;
  }
  const { terminal } = call;
  const users = [...new Set(found.grants.flatMap(({ user }) => (user === null ? [] : [user])))];
  const openers = users.length > 0 ? ` It was opened by ${names(users)}.` : '';
  const verdict =
    found.allowed.length > 0
      ? terminal.paint('green', `${clean(found.address)} is let in to ${names(found.allowed)}.`)
      : terminal.paint('yellow', `${clean(found.address)} is not let in to anything.`);
  const blocks = [verdict + openers];
  if (found.allowed.length > 0 || found.last_seen !== null) {
    const when =
      found.last_seen === null ? 'It was not let in lately.' : `It was last let in at ${moment(found.last_seen)}.`;
    blocks.push(when);
  }
  blocks.push(whoseLines(whose));
  if (found.grants.length > 0) blocks.push(await grantTable(terminal, found.grants));
  blocks.push(...(await entryBlocks(terminal, found.entries)));
  for (const { address, remaining_s } of found.ignored) {
    const left = `for another ${remaining(remaining_s)}`;
    blocks.push(`The knocks of ${clean(address)} are ignored ${left}: too many wrong packets came from there.`);
  }
  call.print(blocks.join('\n\n'));
  return 0;
}
