import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parsePortSpan } from '#dist/core/ports.js';
import { parseSequence } from '#dist/core/sequence.js';
import { minutes } from '#dist/core/time.js';
import { describeOdds, findOdds, mendOdds, viewOdds } from '#dist/odds.js';
import { storedUsers } from '#dist/stored.js';
import { newState, openStore, user } from '../support/store.ts';

const STRIKES = { wrong: 20, per: minutes(1), ignoreFor: minutes(10) };

function configOf(directory: string, change: { source?: 'kernel' | 'socket'; strikes?: typeof STRIKES | null } = {}) {
  const pool = parsePortSpan('21000-29999');
  const usual = {
    source: 'kernel',
    socketProtocols: ['udp'],
    window: minutes(1),
    nflogGroup: 1,
    strikes: STRIKES,
  } as const;
  return { state: { directory }, knock: { ...usual, pool, ...change } };
}

/** A state with these sequences, each of a user. */
async function stateOf(...sequences: readonly string[]): Promise<string> {
  const directory = newState();
  const store = await openStore(directory);
  const people = sequences.map((text, i) =>
    user(i + 1, { account: null, sequenceId: i + 100, sequence: parseSequence(text) }),
  );
  await store.write(people.map((one) => ({ kind: 'user.put', user: one })));
  await store.close();
  return directory;
}

const THREE = ['tcp/21111,udp/22222,tcp/23333', 'udp/21111,udp/22222,tcp/23333'];
const FOUR = 'tcp/24111,udp/25222,tcp/26333,tcp/27444';

const oddsOf = async (config: ReturnType<typeof configOf>) =>
  findOdds(config, await storedUsers(config.state.directory));

describe('check', () => {
  it('tells the odds for the users there are, whose sequences lie in the pool, and no port', async () => {
    const config = configOf(await stateOf(...THREE, FOUR, 'tcp/1111,tcp/2222'));
    const found = await oddsOf(config);
    const lines = describeOdds(found, config);
    expect(lines).toEqual([
      'odds of a blind guess, for 2 users with 3 ports, 1 user with 4 ports: 1 packet in 1.5 × 10^12 opens for somebody',
      '  one address, 19 packets a minute at most: an even chance after 85,000 years',
      '  10,000 addresses, 3,167 packets a second at most: an even chance after 8.5 years',
    ]);
    expect(mendOdds(found, config)).toBeUndefined();
    const json = JSON.stringify(viewOdds(found));
    expect(JSON.parse(json)).toMatchObject({
      assumed: false,
      poor: false,
      users: [{ ports: 3, users: 2 }, { ports: 4 }],
    });
    expect(lines.join() + json).not.toMatch(/2\d(111|222|333|444)/);
  });

  it('asks for more ports where they are poor, and names whose', async () => {
    const config = configOf(await stateOf('tcp/21111,udp/22222', FOUR));
    const found = await oddsOf(config);
    expect(mendOdds(found, config)).toMatch(/^knock: a blind guess is too easy: from 10,000 addresses, an even chance/);
    expect(mendOdds(found, config)).toContain('draw 3 ports for whoever has 2: sallyport user set NAME --length 3');
  });

  it('without strikes says so, reckons with a faster attacker, and offers to switch them on', async () => {
    const config = configOf(await stateOf(THREE[0] ?? ''), { strikes: null });
    const found = await oddsOf(config);
    expect(describeOdds(found, config)[1]).toBe(
      '  knock.strikes is off: 100,000 packets a second, an even chance after 170 days',
    );
    expect(mendOdds(found, config)).toMatch(/draw 4 ports for whoever has 3: .*; or switch knock.strikes on$/);
  });

  it('takes a sequence over sockets to be of one protocol', async () => {
    const directory = await stateOf(FOUR);
    const [both, one] = [await oddsOf(configOf(directory)), await oddsOf(configOf(directory, { source: 'socket' }))];
    expect(one.odds.chancePerPacket / both.odds.chancePerPacket).toBeCloseTo(8, 6);
  });

  it('assumes one user with three ports where there are none, and makes no database for it', async () => {
    const config = configOf(join(newState(), 'absent'));
    const found = await oddsOf(config);
    expect(describeOdds(found, config)[0]).toContain(
      'for 1 user with 3 ports (there are none yet): 1 packet in 2.9 × 10^12',
    );
    expect(viewOdds(found)).toMatchObject({ assumed: true });
    expect(existsSync(config.state.directory)).toBe(false);
  });

  it('assumes the same where the users cannot be read, and says that it could not', async () => {
    const directory = await stateOf(FOUR);
    writeFileSync(join(directory, 'sallyport.db'), 'no database');
    const config = configOf(directory);
    const found = await oddsOf(config);
    expect(describeOdds(found, config)[0]).toContain('for 1 user with 3 ports (the users cannot be read from here)');
  });
});
