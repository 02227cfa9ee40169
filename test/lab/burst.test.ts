/** Many knocks at once, and knocks while nobody listens: none is lost, none counts twice. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';

const KNOCKS = {
  copied: 'tcp/21001,udp/24001,udp/22001',
  crowd: 'udp/21101,tcp/24101,udp/22101',
  frozen: 'udp/21201,udp/24201,tcp/22201',
  unread: 'udp/21401,tcp/24401,udp/22401',
  absent: 'udp/21301,tcp/24301,udp/22301',
} as const;

describe('knocks in a burst', () => {
  let lab: Lab;
  let daemon: LabDaemon;
  let many: Awaited<ReturnType<Lab['manyAddresses']>>;
  let used = 0;

  beforeAll(async () => {
    lab = await Lab.create();
    many = await lab.manyAddresses(lab.laptop, 88);
    daemon = lab.daemon();
    await daemon.start();
    await daemon.confirm();
    for (const [name, knock] of Object.entries(KNOCKS)) {
      await daemon.addUser(name, { knock, services: ['ssh'], max_addresses: 1000 });
    }
    await lab.gateway.tell('listenTcp', { port: 22 });
  });

  afterAll(() => lab?.destroy());

  type User = keyof typeof KNOCKS;
  const newSources = (count: number) => Array.from({ length: count }, () => many.ipv4(++used));
  const grantsOf = async (name: User) => (await daemon.grants()).filter(({ user }) => user === name);
  const eventsOf = async (name: User) =>
    (await daemon.events()).filter(({ user, event }) => user === name && event.startsWith('grant.'));

  async function knockFromAll(name: User, sources: readonly string[]): Promise<void> {
    const knocks = steps(KNOCKS[name]);
    await lab.laptop.streams(
      lab.gateway.ipv4,
      sources.map((source) => ({ source, knocks })),
    );
  }

  /** Each source has one grant, one event that says so, one element in the kernel, and is let in. */
  async function expectAllIn(name: User, sources: readonly string[]): Promise<void> {
    await eventually(
      () => grantsOf(name),
      (grants) => grants.length >= sources.length,
      10_000,
    );
    const events = await eventually(
      () => eventsOf(name),
      (some) => some.length >= sources.length,
    );
    expect(events.map(({ event }) => event)).toEqual(sources.map(() => 'grant.opened'));
    expect(events.map(({ address }) => address).sort()).toEqual([...sources].sort());
    expect((await grantsOf(name)).map(({ address }) => address).sort()).toEqual([...sources].sort());
    const { stdout } = await lab.gateway.exec('nft', ['list', 'set', 'inet', 'sallyport', 'grant_ssh_4']);
    expect(sources.filter((source) => !new RegExp(`\\b${source.replaceAll('.', '\\.')} timeout`).test(stdout))).toEqual(
      [],
    );
    const verdicts = await lab.laptop.tell<string[]>('tcpFrom', {
      sources,
      address: lab.gateway.ipv4,
      port: 22,
      timeout: 3000,
    });
    expect(verdicts.filter((verdict) => verdict !== 'open')).toEqual([]);
    await eventually(mailbox, (text) => !text.includes('elements'));
  }

  async function mailbox(): Promise<string> {
    return (await lab.gateway.exec('nft', ['list', 'set', 'inet', 'sallyport', 'done_4'])).stdout;
  }

  it('the last packet many times over, from many sockets at once, is one grant and one event', async () => {
    const sources = newSources(40);
    const [first, second, last] = steps(KNOCKS.copied);
    if (first === undefined || second === undefined || last === undefined) throw new Error('three knocks');
    await lab.laptop.streams(
      lab.gateway.ipv4,
      sources.map((source) => ({ source, knocks: [first, second] })),
    );
    const racing = sources.map((source) => ({ source, knocks: [last, last] }));
    await lab.laptop.streams(lab.gateway.ipv4, racing, { copies: 15, pause: 0 });
    await expectAllIn('copied', sources);
  });

  it('five hundred addresses at once: five hundred grants', async () => {
    const sources = newSources(500);
    await knockFromAll('crowd', sources);
    await expectAllIn('crowd', sources);
  });

  it('a daemon that is frozen for four seconds answers every knock when it goes on', async () => {
    const sources = newSources(300);
    const until = performance.now() + 4000;
    daemon.signal('SIGSTOP');
    try {
      await knockFromAll('frozen', sources);
      await eventually(
        () => performance.now(),
        (now) => now >= until,
      );
    } finally {
      daemon.signal('SIGCONT');
    }
    await expectAllIn('frozen', sources);
  });

  it('a log that nobody reads holds no knock up, and goes on when it is read again', async () => {
    daemon.readOutput(false);
    const sources = newSources(900);
    try {
      for (let round = 0; round < 3; round++) {
        await knockFromAll('unread', sources);
        await eventually(
          () => grantsOf('unread'),
          (grants) => grants.length === sources.length,
        );
        await daemon.api('POST', '/v1/revoke', { what: 'unread' });
      }
    } finally {
      daemon.readOutput(true);
    }
    expect(await eventsOf('unread')).toHaveLength(6 * sources.length);
    const [last = ''] = newSources(1);
    await knockFromAll('unread', [last]);
    await eventually(
      () => daemon.output,
      (text) => text.includes(`"address":"${last}"`),
    );
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'knocks while no daemon runs are answered by the next one, once (%s)',
    async (signal) => {
      if ((await grantsOf('absent')).length > 0) await daemon.api('POST', '/v1/revoke', { what: 'absent' });
      expect(await grantsOf('absent')).toEqual([]);
      const seen = (await daemon.events()).length;
      await daemon.kill(signal);
      const sources = newSources(300);
      await knockFromAll('absent', sources);
      expect((await mailbox()).match(/\d+\.\d+\.\d+\.\d+ \. 0x/g)).toHaveLength(300);
      await daemon.launch();
      await eventually(
        () => grantsOf('absent'),
        (grants) => grants.length === 300,
      );
      await daemon.kill(signal);
      await daemon.launch();
      expect(await grantsOf('absent')).toHaveLength(300);
      const opened = (await daemon.events()).slice(seen).filter(({ event }) => event.startsWith('grant.'));
      expect(opened.map(({ event, user }) => `${event} ${user}`)).toEqual(sources.map(() => 'grant.opened absent'));
      const verdicts = await lab.laptop.tell<string[]>('tcpFrom', {
        sources,
        address: lab.gateway.ipv4,
        port: 22,
        timeout: 3000,
      });
      expect(verdicts.filter((verdict) => verdict !== 'open')).toEqual([]);
    },
  );
});
