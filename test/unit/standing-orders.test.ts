import { describe, expect, it } from 'vitest';
import { finalState } from '../../src/core/knock/automaton.ts';
import { hours } from '../../src/core/time.ts';
import { StandingOrders } from '../../src/standing-orders.ts';
import { person } from '../support/gate-rig.ts';

describe('the standing orders', () => {
  it('have none for a user who has to say yes first', () => {
    const orders = new StandingOrders({ scopes: new Set(['ssh']), ttl: hours(1), maxTtl: hours(12) });
    const users = [
      person(1, 'anna'),
      person(2, 'ben', { approval: 'phone' }),
      person(3, 'carl', { approval: 'callback' }),
    ];
    expect(orders.of(users)).toEqual([
      {
        ...{ mark: finalState(11), userId: 1, ttl: hours(1), services: ['ssh'] },
        sets: { 4: ['grant_ssh_4'], 6: ['grant_ssh_6'] },
      },
    ]);
  });
});
