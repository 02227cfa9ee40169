import { z } from 'zod';
import {
  AddEntriesRequest,
  AddressParams,
  AddUserRequest,
  AllowRequest,
  ApplyRequest,
  JournalRequest,
  PlanRequest,
  ProviderParams,
  RevokeRequest,
  SetUserRequest,
  UserParams,
} from './requests.js';
import {
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

/** One request of the control API, JSON over HTTP: what goes in and what comes out. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** `:name` stands for a parameter. */
  readonly path: `/v1/${string}`;
  readonly summary: string;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** The largest body in bytes, where it may be larger than others. */
  readonly bodyLimit?: number;
  readonly answer: z.ZodType;
}

/** Every request that is answered as a whole. The server and the client are both made from this table. */
export const ROUTES = {
  status: {
    method: 'GET',
    path: '/v1/status',
    summary: 'What is open, and the health of each part',
    answer: StatusView,
  },
  list: { method: 'GET', path: '/v1/access', summary: 'All entries and grants', answer: ListView },
  whois: {
    method: 'GET',
    path: '/v1/access/:address',
    summary: 'Whose address it is, and what lets it in',
    params: AddressParams,
    answer: WhoisView,
  },
  allow: { method: 'POST', path: '/v1/allow', summary: 'Let a target in', body: AllowRequest, answer: AllowResult },
  addEntries: {
    method: 'POST',
    path: '/v1/entries',
    summary: 'Let many targets in until they are removed: all of them or none',
    body: AddEntriesRequest,
    bodyLimit: 16 * 1024 * 1024,
    answer: AddEntriesResult,
  },
  revoke: {
    method: 'POST',
    path: '/v1/revoke',
    summary: 'End grants and entries, and drop claims, now',
    body: RevokeRequest,
    answer: RevokeResult,
  },
  users: { method: 'GET', path: '/v1/users', summary: 'All users', answer: z.array(UserView) },
  addUser: { method: 'POST', path: '/v1/users', summary: 'Add a user', body: AddUserRequest, answer: UserCard },
  user: { method: 'GET', path: '/v1/users/:name', summary: 'One user', params: UserParams, answer: UserView },
  setUser: {
    method: 'PATCH',
    path: '/v1/users/:name',
    summary: 'Change a user',
    params: UserParams,
    body: SetUserRequest,
    answer: UserView,
  },
  removeUser: {
    method: 'DELETE',
    path: '/v1/users/:name',
    summary: 'Remove a user and end their grants',
    params: UserParams,
    answer: RemoveUserResult,
  },
  card: {
    method: 'GET',
    path: '/v1/users/:name/card',
    summary: 'How a user gets in; a secret',
    params: UserParams,
    answer: UserCard,
  },
  rotate: {
    method: 'POST',
    path: '/v1/users/:name/rotate',
    summary: 'Draw a new sequence for a user',
    params: UserParams,
    answer: UserCard,
  },
  providers: {
    method: 'GET',
    path: '/v1/providers',
    summary: 'All VoIP providers of the catalogue',
    answer: z.array(ProviderView),
  },
  provider: {
    method: 'GET',
    path: '/v1/providers/:name',
    summary: 'One provider, its hosts and ports',
    params: ProviderParams,
    answer: ProviderDetails,
  },
  enableProvider: {
    method: 'POST',
    path: '/v1/providers/:name/enable',
    summary: 'Let a provider in',
    params: ProviderParams,
    answer: ProviderDetails,
  },
  disableProvider: {
    method: 'POST',
    path: '/v1/providers/:name/disable',
    summary: 'Put a provider out',
    params: ProviderParams,
    answer: ProviderView,
  },
  journal: {
    method: 'GET',
    path: '/v1/journal',
    summary: 'Who was let in, when and why',
    query: JournalRequest,
    answer: z.array(JournalView),
  },
  firewall: { method: 'GET', path: '/v1/firewall', summary: 'The state of the guard', answer: FirewallView },
  confirmFirewall: {
    method: 'POST',
    path: '/v1/firewall/confirm',
    summary: 'Make a provisional guard last',
    answer: FirewallView,
  },
  rollbackFirewall: {
    method: 'POST',
    path: '/v1/firewall/rollback',
    summary: 'End a provisional guard now: the previous rules hold, or nothing',
    answer: FirewallView,
  },
  applyFirewall: {
    method: 'POST',
    path: '/v1/firewall/apply',
    summary: 'Bring the rules to the configuration, or put the guard up again; provisionally',
    body: ApplyRequest.nullish(),
    answer: FirewallView,
  },
  planFirewall: {
    method: 'POST',
    path: '/v1/firewall/plan',
    summary: 'What the configuration would change; changes nothing',
    body: PlanRequest.nullish(),
    answer: PlanView,
  },
} as const satisfies Readonly<Record<string, Route>>;

export type RouteName = keyof typeof ROUTES;

/** What a request of a route carries. */
export type RouteInput<Name extends RouteName> = Part<Name, 'params'> & Part<Name, 'query'> & Part<Name, 'body'>;

/** What a route answers. */
export type RouteAnswer<Name extends RouteName> = z.infer<(typeof ROUTES)[Name]['answer']>;

type Part<Name extends RouteName, Key extends 'params' | 'query' | 'body'> = (typeof ROUTES)[Name] extends {
  readonly [K in Key]: infer Schema extends z.ZodType;
}
  ? { readonly [K in Key]: z.infer<Schema> }
  : unknown;

/** The events from now on as they come: one JSON object (a JournalView) a line, until either side hangs up. */
export const FOLLOW = {
  method: 'GET',
  path: '/v1/journal/follow',
  summary: 'The events of the journal as they come',
  type: 'application/x-ndjson',
  line: JournalView,
} as const;
