import type { InterfacesPartView } from '../control/contract/views.js';
import { type Clock, formatDuration, seconds, toIso } from '../core/time.js';
import type { TrustedLink } from '../core/trusted-link.js';

/** The trusted interfaces as a part of the status: `up` where all of them are. */
export function viewInterfaces(links: readonly TrustedLink[], clock: Clock): InterfacesPartView {
  return {
    state: links.every(({ state }) => state === 'up') ? 'up' : 'degraded',
    detail: links.map((link) => describe(link, clock)).join(', '),
    interfaces: links.map(({ name, state, kind, peers }) => ({
      name,
      state,
      kind,
      peers: peers?.count ?? null,
      online: peers?.online ?? null,
      latest_handshake: peers?.latestHandshake == null ? null : toIso(peers.latestHandshake),
    })),
  };
}

function describe({ name, state, kind, peers }: TrustedLink, clock: Clock): string {
  if (state === 'missing') return `${name} is not there`;
  const many = peers === null ? [] : [`${peers.count} ${peers.count === 1 ? 'peer' : 'peers'}`];
  const online = peers?.online == null ? [] : [`${peers.online} online`];
  const last = peers?.latestHandshake ?? null;
  const passed = last === null ? 0 : Math.max(0, Math.floor((clock.now() - last) / 1000));
  const heard = last === null ? [] : [`heard of ${formatDuration(seconds(passed))} ago`];
  return `${name}${state === 'up' ? '' : ' is down'} (${[kind, ...many, ...online, ...heard].join(', ')})`;
}
