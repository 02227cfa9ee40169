import { prefixLength } from '../core/address.js';
import { closedServices } from './closed-services.js';
import type { Config } from './config.js';

/** What a person should know about a faultless configuration: plain remarks, one line each. */
export function notices(config: Config): readonly string[] {
  const { services, firewall, trusted, knock } = config;
  const closed = closedServices(config);
  const open = [...services.keys()].filter((name) => !closed.includes(name));
  const everyone = trusted.addresses.filter(({ target }) => prefixLength(target) === 0);
  return [
    ...(firewall.driver === 'none'
      ? ['firewall.driver: none closes nothing; anybody reaches every port, with a knock or without']
      : []),
    ...(knock.source === 'socket' && knock.socketProtocols.includes('tcp')
      ? ['knock.socket_protocols: every TCP port of the pool looks open to strangers']
      : []),
    ...(firewall.driver === 'none' ? [] : open).map(
      (name) => `firewall.guard: ${name} is not guarded; it stays as open as it is`,
    ),
    ...everyone.map(
      ({ target, services }) => `trusted.addresses: ${target} lets everyone in to ${services.join(', ')}`,
    ),
    ...trusted.providers.map((name) => `trusted.providers: ${name} is not tracked by this version; it lets nobody in`),
  ];
}
