import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileSteps, type State, type Steps, stepKey } from '#dist/core/knock/automaton.js';
import { parsePortSpan, toPort } from '#dist/core/ports.js';
import { formatSequence, parseSequence } from '#dist/core/sequence.js';
import { hours } from '#dist/core/time.js';
import type { User } from '#dist/core/user.js';
import { fromKernelStep } from '#dist/firewall/repeats.js';
import { People } from '#dist/gate/people.js';
import { SystemClock } from '#dist/host/clock.js';
import { SqliteStore } from '#dist/store/sqlite-store.js';
import type { LabDaemon } from '../support/lab/daemon.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';

const USERS = 10_000;

describe('ten thousand users', () => {
  let lab: Lab;
  let daemon: LabDaemon;
  /** The sequences by the name of the user, as they should be. */
  const wanted = new Map<string, { sequenceId: number; sequence: User['sequence'] }>();

  beforeAll(async () => {
    lab = await Lab.create();
    daemon = lab.daemon();
    const people = new People({
      services: () => new Map(),
      pool: parsePortSpan('21000-29999'),
      maxTtl: hours(12),
      random: randomInt,
      clock: new SystemClock(),
      lastId: 0,
    });
    const store = new SqliteStore({ directory: daemon.stateDirectory, onFailed: () => undefined });
    await store.open();
    for (let i = 0; i < USERS; i++) {
      const { user, changes } = await people.planNew(`user${i}`, {});
      people.take(user);
      wanted.set(user.name, user);
      if (i === USERS - 1) await store.write([...changes, { kind: 'meta', key: 'confirmed', value: 'yes' }]);
      else void store.write(changes);
    }
    await store.close();
    await daemon.start();
    await lab.gateway.tell('listenTcp', { port: 22 });
  });

  afterAll(() => lab?.destroy());

  /** The automaton as the kernel has it. */
  async function kernelSteps(): Promise<Steps> {
    const { stdout } = await lab.gateway.exec('nft', ['-nn', 'list', 'map', 'inet', 'sallyport', 'step']);
    const found = stdout.matchAll(/(0x[0-9a-f]+|\d+) \. (6|17|tcp|udp) \. (\d+) : (0x[0-9a-f]+|\d+)/g);
    return new Map(
      [...found].map(([, from, protocol, port, to]) => {
        const knock = {
          protocol: protocol === '6' || protocol === 'tcp' ? 'tcp' : 'udp',
          port: toPort(port ?? ''),
        } as const;
        const key = stepKey(Number(from) as State, knock);
        return [key, fromKernelStep(key, Number(to) as State)];
      }),
    );
  }

  const wantedSteps = (): Steps => compileSteps(wanted.values());
  const sorted = (map: Steps) => [...map].sort(([a], [b]) => a - b);
  const holdsAll = async (): Promise<boolean> => {
    const [found, should] = [await kernelSteps(), wantedSteps()];
    return found.size === should.size && [...should].every(([key, to]) => found.get(key) === to);
  };
  /** Each new user takes two numbers: one for themselves, one for the sequence. */
  let lastId = 2 * USERS;

  const add = async (name: string) => {
    const { sequence } = await daemon.addUser(name, { services: ['ssh'] });
    const text = sequence.map(({ protocol, port }) => `${protocol}/${port}`).join(',');
    lastId += 2;
    wanted.set(name, { sequenceId: lastId, sequence: parseSequence(text) });
    return text;
  };
  const remove = async (name: string) => {
    expect((await daemon.api('DELETE', `/v1/users/${name}`)).status).toBe(200);
    wanted.delete(name);
  };

  it('are all in the kernel, and the last of them gets in', async () => {
    expect(sorted(await kernelSteps())).toEqual(sorted(wantedSteps()));
    const last = wanted.get(`user${USERS - 1}`);
    await lab.laptop.knock(lab.gateway.ipv4, steps(formatSequence(last?.sequence ?? [])));
    await eventually(
      () => daemon.grants(),
      (grants) => grants.some(({ user }) => user === `user${USERS - 1}`),
    );
  });

  it('can have another at once, who gets in, and who does no more once removed', async () => {
    const text = await add('anna');
    await lab.phone.knock(lab.gateway.ipv4, steps(text));
    await eventually(
      () => daemon.grants(),
      (grants) => grants.some(({ user }) => user === 'anna'),
    );
    await remove('anna');
    await lab.phone.knock(lab.gateway.ipv4, steps(text));
    expect((await daemon.grants()).some(({ user }) => user === 'anna')).toBe(false);
    expect(await holdsAll()).toBe(true);
  });

  it('come and go while others empty the map and delete the table, and none is lost or left behind', async () => {
    const damage = ['flush map inet sallyport step\n', 'delete table inet sallyport\n'];
    for (const [round, input] of damage.entries()) {
      const harm = lab.gateway.exec('nft', ['-f', '-'], { input });
      for (let i = 0; i < 10; i++) {
        // A change may meet the damage: it is refused then, and made good by the repair.
        await daemon.api('POST', '/v1/users', { name: `guest${round}-${i}` });
        lastId += 2;
        const card = await daemon.api<{ sequence: { protocol: string; port: number }[] }>(
          'GET',
          `/v1/users/guest${round}-${i}/card`,
        );
        const text = card.body.sequence.map(({ protocol, port }) => `${protocol}/${port}`).join(',');
        wanted.set(`guest${round}-${i}`, { sequenceId: lastId, sequence: parseSequence(text) });
        await daemon.api('DELETE', `/v1/users/user${round * 10 + i}`);
        wanted.delete(`user${round * 10 + i}`);
      }
      await harm;
      await eventually(holdsAll, (isRight) => isRight, 15_000);
    }
  });

  it('are there again after a restart, and listed', async () => {
    await daemon.kill();
    await daemon.launch();
    await eventually(holdsAll, (isRight) => isRight, 15_000);
    const { code, stdout } = await daemon.cli('user', 'list');
    expect(code).toBe(0);
    expect(stdout.split('\n').filter((line) => /\b(user|guest)\d/.test(line))).toHaveLength(wanted.size);
  });
});
