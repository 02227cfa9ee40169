import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../src/core/address.ts';
import { type Allowed, lockoutOf, reaches, type WaysIn } from '../../src/core/lockout.ts';
import { parsePortRange, toPort } from '../../src/core/ports.ts';
import type { GuardRules } from '../../src/core/rules.ts';
import { ALL, type Scope } from '../../src/core/service.ts';
import { service } from '../support/core-arbitraries.ts';
import { LAPTOP, PHONE, RULES } from '../support/gate-rig.ts';
import { target } from '../support/grants.ts';

const SSH = [service('ssh')];
const WEB = [service('web')];
const PORT = toPort(22);

const allowed = (text: string, services: Scope = [ALL]): Allowed => ({ target: target(text), services });

function ways(options: {
  rules?: Partial<GuardRules>;
  entries?: readonly Allowed[];
  grants?: readonly Allowed[];
  knocks?: readonly Scope[];
}): WaysIn {
  const { rules = {}, entries = [], grants = [], knocks = [] } = options;
  const grantsFor = () => grants;
  return { rules: { ...RULES, ...rules }, entries, grantsFor, knocks };
}

const lockout = (before: WaysIn, after: WaysIn, peers = [LAPTOP]) => lockoutOf(before, after, peers, [PORT]);
const HARMLESS = { peers: [], everyone: false };

describe('whether an address reaches a port', () => {
  it.each<[string, Partial<GuardRules>, Allowed[], boolean]>([
    ['as a stranger', {}, [], false],
    ['that is not closed', { guarded: new Map() }, [], true],
    ['under lockdown, whatever is guarded', { policy: 'lockdown', guarded: new Map() }, [], false],
    [
      'under lockdown, where it stays open to everyone',
      { policy: 'lockdown', guarded: new Map(), openPorts: [parsePortRange('tcp/20-30')] },
      [],
      true,
    ],
    ['by an entry for everything', {}, [allowed('203.0.113.0/24')], true],
    ['by an entry for its service', {}, [allowed('203.0.113.7', SSH)], true],
    ['by an entry for another service', {}, [allowed('203.0.113.7', WEB)], false],
    ['by an entry for somebody else', {}, [allowed('203.0.113.8')], false],
    ['by an entry of the other family', {}, [allowed('::/0')], false],
  ])('%s', (_, rules, entries, expected) => {
    expect(reaches({ ...RULES, ...rules }, entries, LAPTOP, PORT)).toBe(expected);
  });
});

describe('whom a change shuts out', () => {
  const in7 = ways({ entries: [allowed('203.0.113.7')], knocks: [SSH] });

  it('is nobody where a session is let in by something else, or was let in by nothing', () => {
    expect(lockout(in7, ways({ entries: [allowed('203.0.113.0/24')], knocks: [SSH] }))).toEqual(HARMLESS);
    expect(lockout(in7, ways({ grants: [allowed('203.0.113.7', SSH)], knocks: [SSH] }))).toEqual(HARMLESS);
    expect(lockout(in7, ways({ knocks: [SSH] }), [PHONE])).toEqual(HARMLESS);
  });

  it('is a session that only this lets in', () => {
    expect(lockout(in7, ways({ knocks: [SSH] }), [LAPTOP, PHONE])).toEqual({ peers: [LAPTOP], everyone: false });
    expect(lockout(in7, ways({ entries: [allowed('203.0.113.7', WEB)], knocks: [SSH] })).peers).toEqual([LAPTOP]);
  });

  it('is a session that nothing but a trusted interface can have let in, where one of these goes', () => {
    const before = ways({ rules: { trustedInterfaces: ['wg0', 'lan0'] } });
    const peer = [parseAddress('10.8.0.2')];
    expect(lockout(before, ways({ rules: { trustedInterfaces: ['wg0'] } }), peer).peers).toEqual(peer);
    expect(lockout(before, ways({ rules: { trustedInterfaces: ['wg0', 'lan0', 'tun0'] } }), peer)).toEqual(HARMLESS);
  });

  it('is everybody where the last way in goes', () => {
    expect(lockout(ways({ entries: [allowed('198.51.100.9')] }), ways({})).everyone).toBe(true);
    expect(lockout(ways({ rules: { guarded: new Map() } }), ways({})).everyone).toBe(true);
    expect(lockout(ways({ rules: { trustedInterfaces: ['wg0'] } }), ways({})).everyone).toBe(true);
  });

  it.each<[string, WaysIn]>([
    ['an entry', ways({ entries: [allowed('198.51.100.9', SSH)] })],
    ['a knock', ways({ knocks: [SSH] })],
    ['a trusted interface', ways({ rules: { trustedInterfaces: ['wg0'] } })],
    ['an open port', ways({ rules: { guarded: new Map() } })],
  ])('is not everybody while %s is a way in', (_, after) => {
    expect(lockout(ways({ entries: [allowed('198.51.100.9')] }), after, []).everyone).toBe(false);
  });

  it('is not everybody where there was no way in before, nor while a grant is the only one that is left', () => {
    expect(lockout(ways({}), ways({})).everyone).toBe(false);
    const onGrant = ways({ grants: [allowed('203.0.113.7')] });
    expect(lockout(ways({ entries: [allowed('203.0.113.7')] }), onGrant)).toEqual({ peers: [], everyone: true });
  });
});
