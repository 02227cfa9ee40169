import type { Config } from './config/config.js';
import { isHeard } from './core/sequence.js';
import type { User } from './core/user.js';
import { heardProtocols } from './layout.js';

/** How many users are named in a sentence. */
const NAMED = 5;

/** The remark on the users that are kept, for those who do not run the daemon; `users` is undefined where they cannot be read. */
export function unheardInStore(config: Config, users: readonly User[] | undefined): string[] {
  if (config.knock.source !== 'socket') return [];
  if (users !== undefined) return unheardNotice(config, users);
  return [`state.directory: the users in ${config.state.directory} cannot be read, so their knocks were not looked at`];
}

/** A remark on the users who have to say yes by phone, where there is none. */
export function phonelessNotice(config: Config, users: readonly Pick<User, 'name' | 'approval'>[]): string[] {
  if (config.phone.configured) return [];
  const names = users.filter(({ approval }) => approval !== 'none').map(({ name }) => name);
  if (names.length === 0) return [];
  return [`phone: there is no such section, so nobody can say yes to the knocks of ${named(names)}; they open nothing`];
}

/** A remark on the users whose knocks nobody hears, since they have a protocol that is not listened to. */
export function unheardNotice(config: Config, users: readonly Pick<User, 'name' | 'sequence'>[]): string[] {
  const protocols = heardProtocols(config);
  const names = users.filter(({ sequence }) => !isHeard(sequence, protocols)).map(({ name }) => name);
  if (names.length === 0) return [];
  const whose = `the knocks of ${named(names)} hold other protocols and cannot open`;
  return [`knock.socket_protocols: ${whose}; give them new ones: sallyport user rotate NAME`];
}

function named(names: readonly string[]): string {
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
  return `${names.slice(0, NAMED).join(', ')}${more}`;
}
