import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSallyportError } from '../../src/core/errors.ts';
import { compileSteps } from '../../src/core/knock/automaton.ts';
import { parsePortRange } from '../../src/core/ports.ts';
import { checkSequence, formatSequence, parseSequence } from '../../src/core/sequence.ts';
import { EVERYTHING } from '../../src/core/service.ts';
import { hours, minutes } from '../../src/core/time.ts';
import { LARGEST_SEQUENCE_ID, type User } from '../../src/core/user.ts';
import { People, type PlannedUser, type UserOptions } from '../../src/gate/people.ts';
import { seededRandom, service, span } from '../support/core-arbitraries.ts';
import { EIGHT, FakeClock } from '../support/fake-clock.ts';

const POOL = span(21000, 21200);
const SERVICES = new Map(['ssh', 'sip', 'web'].map((name, i) => [service(name), [parsePortRange(`tcp/${i + 1}`)]]));

function peopleOf(change: Partial<ConstructorParameters<typeof People>[0]> = {}): People {
  return new People({
    services: () => SERVICES,
    pool: POOL,
    maxTtl: hours(12),
    random: seededRandom(1),
    clock: new FakeClock(),
    users: [],
    lastId: 0,
    ...change,
  });
}

async function added(people: People, name: string, options: UserOptions = {}): Promise<User> {
  const { user } = await people.planNew(name, options);
  people.take(user);
  return user;
}

async function changed(people: People, name: string, options: UserOptions): Promise<User> {
  const { user } = await people.planChange(name, options);
  people.take(user);
  return user;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (thrown) => thrown,
  );
  if (!isSallyportError(error)) throw error ?? new Error('it was not refused');
  return error.code;
}

const lastId = ({ changes }: PlannedUser) =>
  changes.flatMap((change) => (change.kind === 'meta' && change.key === 'last_id' ? [Number(change.value)] : []));

describe('a new user', () => {
  it('has three random ports, every service, the usual limits and no secrets but the sequence', async () => {
    const people = peopleOf();
    const user = await added(people, 'Anna');
    expect(user).toEqual({
      id: 1,
      name: 'Anna',
      services: EVERYTHING,
      ttl: null,
      maxAddresses: 5,
      sequenceId: 2,
      sequence: expect.any(Array),
      account: null,
      pinHash: null,
      approval: 'none',
      number: null,
      createdAt: EIGHT,
    });
    expect(user.sequence).toHaveLength(3);
    checkSequence(user.sequence, POOL, []);
  });

  it('has what was asked for', async () => {
    const people = peopleOf();
    const knock = 'tcp/21100,udp/21050,tcp/21150';
    const options = { services: ['web', 'ssh'], ttl: '90m', knock, account: '1001', max_addresses: 2 };
    expect(await added(people, 'ben', options)).toMatchObject({
      services: ['ssh', 'web'],
      ttl: minutes(90),
      maxAddresses: 2,
      account: '1001',
      sequence: parseSequence(knock),
    });
    expect((await added(people, 'carl', { length: 5 })).sequence).toHaveLength(5);
  });

  it('has a number to ring, without what is for the eye', async () => {
    const people = peopleOf();
    const user = await added(people, 'anna', { approval: 'callback', number: '+1 (555) 010-0100' });
    expect(user).toMatchObject({ approval: 'callback', number: '+15550100100' });
    expect(await changed(people, 'anna', { approval: 'phone' })).toMatchObject({
      approval: 'phone',
      number: user.number,
    });
    expect(await changed(people, 'anna', { approval: 'callback' })).toMatchObject({ approval: 'callback' });
  });

  it('is found by the account, as long as it is theirs', async () => {
    const people = peopleOf();
    const user = await added(people, 'anna', { account: '1001' });
    expect([people.ofAccount('1001'), people.ofAccount('1002'), people.ofAccount('')]).toEqual([
      user,
      undefined,
      undefined,
    ]);
    const other = await changed(people, 'anna', { account: '1002' });
    expect([people.ofAccount('1001'), people.ofAccount('1002')]).toEqual([undefined, other]);
  });

  it('has a PIN that is kept as a salted hash alone', async () => {
    const people = peopleOf();
    const [one, other] = [
      await added(people, 'anna', { pin: '483921' }),
      await added(people, 'ben', { pin: '483921' }),
    ];
    expect(one.pinHash).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(one.pinHash).not.toBe(other.pinHash);
    expect(JSON.stringify([one, other])).not.toContain('483921');
  });

  it('counts only when it is taken: until then there is no such user, and nothing of it in the automaton', async () => {
    const people = peopleOf();
    const plan = await people.planNew('anna', {});
    expect([people.list(), people.find('anna'), people.steps().size]).toEqual([[], undefined, 0]);
    expect(people.ofSequence(plan.user.sequenceId)).toBeUndefined();
    expect(plan.changes).toEqual([
      { kind: 'user.put', user: plan.user },
      { kind: 'meta', key: 'last_id', value: String(plan.user.sequenceId) },
    ]);
    people.take(plan.user);
    expect(people.list()).toEqual([plan.user]);
    expect(people.ofSequence(plan.user.sequenceId)).toBe(plan.user);
    expect(people.steps()).toEqual(compileSteps([plan.user]));
  });

  it('is found by name whatever the case, and no other may have that name', async () => {
    const people = peopleOf();
    const user = await added(people, 'Anna');
    expect([people.get('anna'), people.get('ANNA'), people.find('Anna')]).toEqual([user, user, user]);
    expect(await codeOf(people.planNew('aNNa', {}))).toBe('SP_USER_EXISTS');
    expect(() => people.get('ben')).toThrow(expect.objectContaining({ code: 'SP_USER_UNKNOWN' }));
  });
});

describe('what is asked for a user is refused where it makes no sense, and nothing has changed', () => {
  it.each<[string, UserOptions]>([
    ['SP_SERVICE_UNKNOWN', { services: ['ftp'] }],
    ['SP_DURATION_INVALID', { ttl: '3x' }],
    ['SP_DURATION_INVALID', { ttl: '0s' }],
    ['SP_TTL_TOO_LONG', { ttl: '12h1s' }],
    ['SP_ACCOUNT_INVALID', { account: '' }],
    ['SP_ACCOUNT_INVALID', { account: '10a' }],
    ['SP_ACCOUNT_INVALID', { account: '1'.repeat(21) }],
    ['SP_ACCOUNT_TAKEN', { account: '1001' }],
    ['SP_NUMBER_INVALID', { number: '5' }],
    ['SP_NUMBER_INVALID', { number: '555,0100' }],
    ['SP_NUMBER_INVALID', { number: '5550100@other' }],
    ['SP_NUMBER_INVALID', { number: '1'.repeat(25) }],
    ['SP_NUMBER_INVALID', { number: '55+50100' }],
    ['SP_NUMBER_MISSING', { approval: 'callback' }],
    ['SP_SEQUENCE_INVALID', { knock: 'tcp/21100' }],
    ['SP_SEQUENCE_INVALID', { knock: 'tcp/21100,tcp/21101' }],
    ['SP_SEQUENCE_INVALID', { knock: 'tcp/21100,tcp/22' }],
    ['SP_SEQUENCE_INVALID', { knock: '' }],
    ['SP_SEQUENCE_INVALID', { knock: 'tcp/21010,tcp/21020' }],
    ['SP_SEQUENCE_INVALID', { knock: 'tcp/21010,tcp/21020,udp/21030,udp/21040' }],
    ['SP_SEQUENCE_INVALID', { length: 1 }],
    ['SP_SEQUENCE_INVALID', { length: 9 }],
  ])('%s for %j', async (code, options) => {
    const people = peopleOf();
    await added(people, 'other', { account: '1001', knock: 'tcp/21010,tcp/21020,udp/21030' });
    const me = await added(people, 'me');
    const before = people.list();
    expect(await codeOf(people.planNew('new', options))).toBe(code);
    expect(await codeOf(people.planChange('me', options))).toBe(code);
    expect(people.list()).toEqual(before);
    expect((await people.planNew('new', {})).user.id).toBe(me.sequenceId + 1);
  });

  it('the longest time that is allowed is allowed', async () => {
    expect((await added(peopleOf(), 'anna', { ttl: '12h' })).ttl).toBe(hours(12));
  });

  it('SP_NAME_INVALID and SP_USER_UNKNOWN for the names', async () => {
    const people = peopleOf();
    expect(await codeOf(people.planNew('a b', {}))).toBe('SP_NAME_INVALID');
    expect(await codeOf(people.planChange('nobody', {}))).toBe('SP_USER_UNKNOWN');
    expect(await codeOf(people.planRotation('nobody'))).toBe('SP_USER_UNKNOWN');
  });
});

describe('a change of a user', () => {
  it('leaves what is not mentioned, the sequence and its id among it', async () => {
    const people = peopleOf();
    const before = await added(people, 'anna', { account: '1001', ttl: '1h' });
    expect(await changed(people, 'ANNA', { services: ['ssh'] })).toEqual({ ...before, services: ['ssh'] });
    expect(await changed(people, 'anna', { account: '1001' })).toEqual({ ...before, services: ['ssh'] });
    expect(people.list()).toHaveLength(1);
  });

  it('of the sequence gives it a new id, and the old one leads nowhere any more', async () => {
    const people = peopleOf();
    const before = await added(people, 'anna');
    const after = await changed(people, 'anna', { knock: formatSequence(before.sequence) });
    expect(after.sequence).toEqual(before.sequence);
    expect(after.sequenceId).toBeGreaterThan(before.sequenceId);
    expect([people.ofSequence(before.sequenceId), people.ofSequence(after.sequenceId)]).toEqual([undefined, after]);
    expect(people.steps()).toEqual(compileSteps([after]));
  });

  it('by rotation draws as many ports as before, none of them the beginning of the old ones', async () => {
    for (let seed = 0; seed < 50; seed++) {
      const people = peopleOf({ random: seededRandom(seed), pool: span(21000, 21006) });
      const before = await added(people, 'anna', { length: 2 });
      const { user } = await people.planRotation('anna');
      expect(people.get('anna')).toBe(before);
      expect(user.sequence).toHaveLength(2);
      expect(user.sequence).not.toEqual(before.sequence);
      expect({ ...user, sequence: 0, sequenceId: 0 }).toEqual({ ...before, sequence: 0, sequenceId: 0 });
    }
  });

  it('to another length draws anew', async () => {
    const people = peopleOf();
    const before = await added(people, 'anna');
    const { sequence, sequenceId } = await changed(people, 'anna', { length: 6 });
    expect(sequence).toHaveLength(6);
    expect(sequenceId).toBeGreaterThan(before.sequenceId);
  });
});

describe('the ids of users and sequences', () => {
  it('are never used again: not after a removal, a rotation, or a restart', async () => {
    const step = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({
          do: fc.constantFrom('add', 'rotate', 'change', 'knock', 'remove', 'plan'),
          who: fc.nat(4),
        }),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('restart'), who: fc.nat(0) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.integer(), async (steps, seed) => {
        const random = seededRandom(seed);
        let people = peopleOf({ random });
        const given = new Map<number, string>();
        let kept = 0;
        const take = (plan: PlannedUser, newIds: number[]) => {
          [kept = 0] = lastId(plan);
          people.take(plan.user);
          for (const id of newIds) {
            expect(given.has(id), `${id} is used again`).toBe(false);
            given.set(id, plan.user.name);
            expect(kept).toBeGreaterThanOrEqual(id);
          }
          expect(people.ofSequence(plan.user.sequenceId)).toBe(plan.user);
        };
        for (const one of steps) {
          const name = `user${one.who}`;
          const known = people.find(name);
          if (one.do === 'restart') {
            people = peopleOf({ random, users: people.list(), lastId: kept });
          } else if (known === undefined) {
            const plan = await people.planNew(name, {});
            if (one.do === 'add') take(plan, [plan.user.id, plan.user.sequenceId]);
          } else if (one.do === 'remove') {
            people.remove(known);
            expect(people.ofSequence(known.sequenceId)).toBeUndefined();
          } else if (one.do === 'change') {
            take(await people.planChange(name, { ttl: '1h' }), []);
          } else if (one.do === 'rotate' || one.do === 'knock') {
            const knock = formatSequence(known.sequence);
            const plan = await (one.do === 'rotate' ? people.planRotation(name) : people.planChange(name, { knock }));
            take(plan, [plan.user.sequenceId]);
          }
        }
        for (const user of people.list()) expect(given.get(user.sequenceId)).toBe(user.name);
      }),
      { numRuns: 150 },
    );
  });

  it('are at least those of the users there are, also where the last one was not kept', async () => {
    const user = await added(peopleOf({ lastId: 40 }), 'anna');
    expect([user.id, user.sequenceId]).toEqual([41, 42]);
    const other = await added(peopleOf({ users: [user] }), 'ben');
    expect([other.id, other.sequenceId]).toEqual([43, 44]);
  });

  it('end with an error where all are used up, and none is larger than fits a packet mark', async () => {
    const people = peopleOf({ lastId: LARGEST_SEQUENCE_ID - 2 });
    expect((await added(people, 'anna')).sequenceId).toBe(LARGEST_SEQUENCE_ID);
    expect(await codeOf(people.planNew('ben', {}))).toBe('SP_SEQUENCE_INVALID');
    expect(await codeOf(people.planRotation('anna'))).toBe('SP_SEQUENCE_INVALID');
    expect((await changed(people, 'anna', { ttl: '1h' })).ttl).toBe(hours(1));
  });
});

describe('the automaton', () => {
  it('is that of the users whose ports all lie in the pool', async () => {
    const first = peopleOf();
    const [inside, outside] = [
      await added(first, 'anna', { knock: 'tcp/21010,tcp/21020' }),
      await added(first, 'ben', { knock: 'tcp/21015,tcp/21150' }),
    ];
    const people = peopleOf({ users: first.list(), pool: span(21000, 21100) });
    expect(people.list()).toEqual([inside, outside]);
    expect(people.steps()).toEqual(compileSteps([inside]));
  });

  it('loses a user who is removed', async () => {
    const people = peopleOf();
    const [anna, ben] = [await added(people, 'anna'), await added(people, 'ben')];
    people.remove(anna);
    expect(people.steps()).toEqual(compileSteps([ben]));
    expect(people.list()).toEqual([ben]);
  });
});
