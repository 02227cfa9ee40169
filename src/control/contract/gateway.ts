import type { Address } from '../../core/address.js';
import type {
  AddEntriesRequest,
  AddUserRequest,
  AllowRequest,
  ApplyRequest,
  JournalRequest,
  PlanRequest,
  RevokeRequest,
  SetUserRequest,
} from './requests.js';
import type {
  AddEntriesResult,
  AllowResult,
  FirewallView,
  JournalView,
  ListView,
  PlanView,
  ProviderDetails,
  ProviderView,
  RemoveUserResult,
  RevokeResult,
  StatusView,
  UserCard,
  UserView,
  WhoisView,
} from './views.js';

export type * from './requests.js';
export type * from './views.js';

/** An answer whose lists may be long: then they are made while they are written, item by item. */
export type LongLists<T> = T extends readonly (infer Item)[]
  ? Iterable<Item>
  : { [Key in keyof T]: T[Key] extends readonly (infer Item)[] ? Iterable<Item> : T[Key] };

/**
 * What the daemon does for its operator. Texts arrive bounded in length and free of control characters, and are read by
 * whoever implements this. Rejects with a SallyportError where something is refused; anything else is a fault.
 */
export interface GatewayApi {
  status(): Promise<LongLists<StatusView>>;
  list(): Promise<LongLists<ListView>>;
  whois(address: Address): Promise<WhoisView>;
  /** With `for` a grant, without it an entry that stays. */
  allow(request: AllowRequest): Promise<AllowResult>;
  /** Entries that stay, all of them or none. */
  addEntries(request: AddEntriesRequest): Promise<AddEntriesResult>;
  /** Ends what a target, an id or a user's name stands for. */
  revoke(request: RevokeRequest): Promise<RevokeResult>;
  users(): Promise<UserView[]>;
  user(name: string): Promise<UserView>;
  addUser(request: AddUserRequest): Promise<UserCard>;
  setUser(name: string, request: SetUserRequest): Promise<UserView>;
  removeUser(name: string): Promise<RemoveUserResult>;
  card(name: string): Promise<UserCard>;
  /** Draws a new sequence; the old one opens nothing any more. */
  rotate(name: string): Promise<UserCard>;
  providers(): Promise<ProviderView[]>;
  provider(name: string): Promise<ProviderDetails>;
  enableProvider(name: string): Promise<ProviderDetails>;
  disableProvider(name: string): Promise<ProviderView>;
  /** In the order of their numbers. */
  journal(query: JournalRequest): Promise<Iterable<JournalView>>;
  /** Calls `listener` with every event from now on, until the function that it returns is called. */
  followJournal(listener: (event: JournalView) => void): () => void;
  firewall(): Promise<FirewallView>;
  /** Makes a provisional guard last. */
  confirmFirewall(): Promise<FirewallView>;
  /** Ends a provisional guard now: the previous rules hold, or nothing. */
  rollbackFirewall(): Promise<FirewallView>;
  /** Brings the rules to the configuration as it is written now, or puts the guard up again; provisionally. */
  applyFirewall(request: ApplyRequest): Promise<FirewallView>;
  /** What that would change. */
  planFirewall(request: PlanRequest): Promise<PlanView>;
}
