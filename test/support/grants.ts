import fc from 'fast-check';
import { parseTarget, type Target } from '../../src/core/address.ts';
import type { Grant, GrantId, Method } from '../../src/core/grants/grant.ts';
import type { OpenRequest } from '../../src/core/grants/ledger.ts';
import { EVERYTHING, type Scope } from '../../src/core/service.ts';
import { hours, type Instant, type Monotonic } from '../../src/core/time.ts';
import type { UserName } from '../../src/core/user.ts';
import { service } from './core-arbitraries.ts';
import { EIGHT } from './fake-clock.ts';

export const SSH: Scope = [service('ssh')];
export const SSH_AND_WEB: Scope = [service('ssh'), service('web')];
export const target = (text: string): Target => parseTarget(text);
export const METHODS: readonly Method[] = ['knock', 'spa', 'phone', 'cli', 'console'];

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** The id of the nth grant. */
export function grantId(n: number): GrantId {
  let text = '';
  for (let i = 0, rest = n; i < 8; i++, rest = Math.floor(rest / 32)) text = (ALPHABET[rest % 32] ?? '0') + text;
  return text as GrantId;
}

export const owner = (id: number, name = `user${id}`) => ({ id, name: name as UserName });

export function grantOf(change: Partial<Grant> = {}): Grant {
  return {
    id: grantId(1),
    user: owner(1),
    target: target('203.0.113.7'),
    services: SSH,
    method: 'knock',
    openedAt: EIGHT,
    expires: (1_000_000 + hours(1)) as Monotonic,
    ttl: hours(1),
    note: null,
    ...change,
  };
}

/** A knock of user 1 from 203.0.113.7 for an hour, unless said otherwise. */
export function openRequest(change: Partial<OpenRequest> = {}): OpenRequest {
  return {
    user: { ...owner(1), maxAddresses: 5 },
    target: target('203.0.113.7'),
    services: SSH,
    ttl: hours(1),
    method: 'knock',
    note: null,
    ...change,
  };
}

export const scope: fc.Arbitrary<Scope> = fc.constantFrom(EVERYTHING, SSH, SSH_AND_WEB, [service('web')]);

/** Any grant as it may lie in the ledger. */
export const anyGrant: fc.Arbitrary<Grant> = fc.record({
  id: fc.nat(32 ** 5).map(grantId),
  user: fc.option(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(2 ** 28 - 1)).map((id) => owner(id))),
  target: fc.constantFrom(...['203.0.113.7', '203.0.113.8', '2001:db8::7', '2001:db8:1::/64'].map(target)),
  services: scope,
  method: fc.constantFrom(...METHODS),
  openedAt: fc.integer({ min: 0, max: 4_102_444_800_000 }) as fc.Arbitrary<Instant>,
  expires: fc.integer({ min: 0, max: 10_000_000 }) as fc.Arbitrary<Monotonic>,
  ttl: fc.integer({ min: 1, max: 315_360_000_000 }) as fc.Arbitrary<Grant['ttl']>,
  note: fc.constant(null),
});
