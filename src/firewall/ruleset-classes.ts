import type { Family } from '../core/address.js';
import type { GuardLayout } from '../core/firewall.js';
import { type PortClass, portClasses } from '../core/port-classes.js';
import { ALL, type ServiceName } from '../core/service.js';
import { entrySet, FAMILIES, grantSet, rangeSet } from './names.js';
import type { Generation } from './placement.js';
import { letInAndNote } from './ruleset-seen.js';

export const ADDRESS_TYPE = { 4: 'ipv4_addr', 6: 'ipv6_addr' } as const;
/** Where the source of a packet stands. */
export const SOURCE = { 4: 'ip saddr', 6: 'ip6 saddr' } as const;

/** Lets through whoever is in a set of one of the scopes, by grant, entry or CIDR. */
export function letIn(layout: Generation, family: Family, scopes: readonly ServiceName[]): string[] {
  return [
    ...scopes.map((scope) => `    ${hashKey(layout, family)} @${grantSet(scope, family)} ${letInAndNote(family)}`),
    ...scopes.map((scope) => `    ${SOURCE[family]} @${entrySet(scope, family, layout.slot)} ${letInAndNote(family)}`),
    ...scopes.map((scope) => `    ${SOURCE[family]} @${rangeSet(scope, family)} ${letInAndNote(family)}`),
  ];
}

/** Drops what held addresses send. @param which narrows it down, in nft's language; all of it where it is left out */
export function dropHeld(layout: GuardLayout, which = ''): string[] {
  return FAMILIES.flatMap((family) => [
    `    ${which}${hashKey(layout, family)} @${grantSet('held', family)} drop`,
    `    ${which}${SOURCE[family]} @${rangeSet('held', family)} drop`,
  ]);
}

/** With `drain` what is established goes on, whoever began it. */
export function drained({ onExpiry }: GuardLayout): string[] {
  return onExpiry === 'drain' ? ['    ct state established accept'] : [];
}

/** A chain for each class of ports: it decides for good. */
export function renderClasses(layout: Generation): string[] {
  return classesOf(layout).flatMap(({ chain, services, takesReplies }) => [
    `  chain ${chain} {`,
    ...drained(layout),
    ...FAMILIES.flatMap((family) => letIn(layout, family, [ALL, ...services])),
    ...(takesReplies ? [...dropHeld(layout), '    ct state established ct direction reply accept'] : []),
    '    drop',
    '  }',
  ]);
}

/** The classes of the guarded ports, each with the name of its chain. */
export function classesOf(layout: Generation): (PortClass & { chain: string })[] {
  return portClasses(layout.guarded, layout.localPorts).map((one) => ({
    ...one,
    // No service has a dot in its name, so no two classes share a chain.
    chain: `${layout.slot}${one.takesReplies ? 'replies' : 'ports'}.${one.services.join('.')}`,
  }));
}

/** What the hash sets are asked for: the address, or its network where a grant covers one. */
function hashKey(layout: GuardLayout, family: Family): string {
  return family === 6 && layout.ipv6Prefix === 64 ? 'ip6 saddr & ffff:ffff:ffff:ffff::' : SOURCE[family];
}
