import { parseAddress } from '../core/address.js';
import type { GatewayApi, LongLists } from './contract/gateway.js';
import type { RouteAnswer, RouteInput, RouteName } from './contract/routes.js';

export type Handlers = {
  readonly [Name in RouteName]: (input: RouteInput<Name>) => Promise<RouteAnswer<Name> | LongLists<RouteAnswer<Name>>>;
};

/** Which call of the gateway answers which route. */
export function handlersFor(gateway: GatewayApi): Handlers {
  return {
    status: () => gateway.status(),
    list: () => gateway.list(),
    whois: async ({ params }) => gateway.whois(parseAddress(params.address)),
    allow: ({ body }) => gateway.allow(body),
    addEntries: ({ body }) => gateway.addEntries(body),
    revoke: ({ body }) => gateway.revoke(body),
    users: () => gateway.users(),
    addUser: ({ body }) => gateway.addUser(body),
    user: ({ params }) => gateway.user(params.name),
    setUser: ({ params, body }) => gateway.setUser(params.name, body),
    removeUser: ({ params }) => gateway.removeUser(params.name),
    card: ({ params }) => gateway.card(params.name),
    rotate: ({ params }) => gateway.rotate(params.name),
    providers: () => gateway.providers(),
    provider: ({ params }) => gateway.provider(params.name),
    enableProvider: ({ params }) => gateway.enableProvider(params.name),
    disableProvider: ({ params }) => gateway.disableProvider(params.name),
    journal: ({ query }) => gateway.journal(query),
    firewall: () => gateway.firewall(),
    confirmFirewall: () => gateway.confirmFirewall(),
    rollbackFirewall: () => gateway.rollbackFirewall(),
    applyFirewall: ({ body }) => gateway.applyFirewall(body ?? {}),
    planFirewall: ({ body }) => gateway.planFirewall(body ?? {}),
  };
}
