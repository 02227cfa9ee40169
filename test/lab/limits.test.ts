/** What a grant is bounded by: its time, the addresses of its user, and the addresses that may never be let in. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';

const USERS = {
  renewer: 'tcp/21001,udp/24001,tcp/22001',
  five: 'tcp/21101,udp/24101,tcp/22101',
  few: 'tcp/21201,udp/24201,tcp/22201',
  changing: 'tcp/21301,udp/24301,tcp/22301',
  revoked: 'tcp/21401,udp/24401,tcp/22401',
} as const;

describe('the limits of grants', () => {
  let lab: Lab;
  let daemon: LabDaemon;
  let many: Awaited<ReturnType<Lab['manyAddresses']>>;

  beforeAll(async () => {
    lab = await Lab.create();
    many = await lab.manyAddresses(lab.laptop, 88);
    daemon = lab.daemon({ config: 'grants: {ttl: 1h, max_ttl: 2h}' });
    await daemon.start();
    await daemon.confirm();
    for (const [name, knock] of Object.entries(USERS)) await daemon.addUser(name, { knock, services: ['ssh'] });
    await lab.gateway.tell('listenTcp', { port: 22 });
    await lab.gateway.tell('listenTcp', { port: 80 });
  });

  afterAll(() => lab?.destroy());

  /** Knocks as a user from an address, and waits until the daemon has let it in, or renewed it. */
  async function knock(name: keyof typeof USERS, source: string): Promise<void> {
    const answers = async () =>
      (await eventsOf(name)).filter(
        ({ event, address }) => address === source && (event === 'grant.opened' || event === 'grant.renewed'),
      ).length;
    const before = await answers();
    await lab.laptop.knock(lab.gateway[source.includes(':') ? 'ipv6' : 'ipv4'], steps(USERS[name]), { source });
    await eventually(answers, (count) => count > before);
  }

  const grantsOf = async (name: string) => (await daemon.grants()).filter(({ user }) => user === name);
  const eventsOf = async (name: string) => (await daemon.events()).filter(({ user }) => user === name);
  const addressesOf = async (name: string) => (await grantsOf(name)).map(({ address }) => address).sort();
  const reaches = (sources: readonly string[], port = 22) =>
    lab.laptop.tell<string[]>('tcpFrom', { sources, address: lab.gateway.ipv4, port, timeout: 300 });
  /** Two completions within a second are taken for one that was heard twice. */
  const settled = (name: string) =>
    eventually(
      () => grantsOf(name),
      (grants) => grants.every(({ remaining_s, ttl_s }) => ttl_s - remaining_s > 1.1),
    );

  it('a second knock renews: the same grant, longer, in the kernel too', async () => {
    const source = many.ipv4(1);
    await knock('renewer', source);
    const [first] = await settled('renewer');
    const left = await kernelSecondsLeft(source);
    await knock('renewer', source);
    const [second, ...more] = await grantsOf('renewer');
    expect(more).toEqual([]);
    expect(second).toMatchObject({ id: first?.id, opened_at: first?.opened_at });
    expect(Date.parse(second?.expires_at ?? '')).toBeGreaterThan(Date.parse(first?.expires_at ?? '') + 1000);
    expect(await kernelSecondsLeft(source)).toBeGreaterThan(left);
    expect((await eventsOf('renewer')).map(({ event }) => event)).toEqual([
      'user.added',
      'grant.opened',
      'grant.renewed',
    ]);
  });

  it('five addresses a user: for the sixth, the one that knocked longest ago gives way, and the journal says so', async () => {
    const [a = '', b = '', c = '', d = '', e = '', f = '', g = ''] = Array.from({ length: 7 }, (_, i) =>
      many.ipv4(11 + i),
    );
    for (const source of [a, b, c, d, e]) await knock('five', source);
    expect(await reaches([a, b, c, d, e])).toEqual(Array.from({ length: 5 }, () => 'open'));
    await knock('five', f);
    expect(await addressesOf('five')).toEqual([b, c, d, e, f]);
    expect(await reaches([a, b, c, d, e, f])).toEqual(['silent', ...Array.from({ length: 5 }, () => 'open')]);
    await settled('five');
    await knock('five', b);
    await knock('five', g);
    expect(await addressesOf('five')).toEqual([b, d, e, f, g]);
    expect(await reaches([b, c])).toEqual(['open', 'silent']);
    const ended = (await eventsOf('five')).filter(({ event }) => event === 'grant.revoked');
    expect(ended.map(({ address, detail }) => `${address}: ${detail}`)).toEqual([
      `${a}: gave way to ${f}: the user has no more addresses`,
      `${c}: gave way to ${g}: the user has no more addresses`,
    ]);
  });

  it('addresses of both families count, and --max-addresses sets how many', async () => {
    await daemon.json('user', 'set', 'few', '--max-addresses', '2');
    const [first, second, third] = [many.ipv4(21), many.ipv6(22), many.ipv4(23)];
    for (const source of [first, second, third]) await knock('few', source);
    expect(await addressesOf('few')).toEqual([third, second].sort());
    await daemon.json('user', 'set', 'few', '--max-addresses', '1');
    expect(await addressesOf('few')).toHaveLength(2);
    await settled('few');
    await knock('few', third);
    expect(await addressesOf('few')).toEqual([third]);
    expect(await reaches([first, third])).toEqual(['silent', 'open']);
    expect(await lab.laptop.tcp(lab.gateway.ipv6, 22, { source: second, timeout: 300 })).toBe('silent');
    for (const number of ['0', '1001', 'many']) {
      expect((await daemon.cli('user', 'set', 'few', '--max-addresses', number)).code).toBe(2);
    }
  });

  it('what is set for a user takes effect at the next knock', async () => {
    const source = many.ipv4(31);
    await knock('changing', source);
    await daemon.json('user', 'set', 'changing', '--ttl', '90m', '--services', 'web');
    expect(await grantsOf('changing')).toMatchObject([{ services: ['ssh'], ttl_s: 3600 }]);
    expect(await reaches([source], 22)).toEqual(['open']);
    await settled('changing');
    await knock('changing', source);
    expect(await grantsOf('changing')).toMatchObject([{ services: ['web'], ttl_s: 5400 }]);
    expect(await reaches([source], 80)).toEqual(['open']);
    expect(await reaches([source], 22)).toEqual(['silent']);
    await daemon.json('user', 'set', 'changing', '--ttl', '1m');
    const elsewhere = many.ipv4(32);
    await knock('changing', elsewhere);
    expect(await kernelSecondsLeft(elsewhere, 'web')).toBeLessThanOrEqual(60);
  });

  it.each([
    ['user add late --ttl 121m', /^SP_TTL_TOO_LONG: /],
    ['user set five --ttl 3h', /^SP_TTL_TOO_LONG: /],
    ['allow 198.51.100.7 --for 2h1s', /^SP_TTL_TOO_LONG: /],
    ['user set five --ttl 0s', /^SP_DURATION_INVALID: /],
    ['allow 198.51.100.7 --for 0', /^SP_DURATION_INVALID: /],
    ['allow 198.51.100.7 --for -5m', /^SP_/],
  ])('refuses a time beyond the maximum, or none: %s', async (command, problem) => {
    const { code, stdout, stderr } = await daemon.cli(...command.split(' '));
    expect(code).toBeGreaterThan(0);
    expect(stdout).toBe('');
    expect(stderr).toMatch(problem);
    expect(await grantsOf('late')).toEqual([]);
    expect((await daemon.grants()).filter(({ address }) => address === '198.51.100.7')).toEqual([]);
  });

  it.each([
    ['0.0.0.0', 'the unspecified address'],
    ['127.0.0.1', 'a loopback address'],
    ['224.0.0.1', 'a multicast address'],
    ['255.255.255.255', 'the broadcast address'],
    ['10.77.0.1', "the host's own address"],
    ['::', 'the unspecified address'],
    ['::1', 'a loopback address'],
    ['ff02::1', 'a multicast address'],
    ['fd77::1', "the host's own address"],
    ['127.0.0.0/8', 'a loopback address'],
    ['ff00::/8', 'a multicast address'],
  ])('never lets in %s: it is %s', async (target, reason) => {
    const { code, stdout, stderr } = await daemon.cli('allow', target, '--for', '1h');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^SP_ADDRESS_REFUSED: [^\n]+\n$/);
    expect(stderr).toContain(reason);
    const forGood = await daemon.api('POST', '/v1/allow', { target });
    expect(forGood.status).toBeGreaterThanOrEqual(400);
    expect(JSON.stringify(forGood.body)).toContain(reason);
    const { entries, grants } = (await daemon.api<ListJson>('GET', '/v1/access')).body;
    expect([...entries.map((entry) => entry.target), ...grants.map(({ address }) => address)]).not.toContain(target);
  });

  it('a revoked address stays out, over a restart too, until it knocks again: then it has a fresh grant at once', async () => {
    const source = many.ipv4(41);
    await knock('revoked', source);
    const [first] = await grantsOf('revoked');
    await daemon.json('revoke', source);
    expect(await reaches([source])).toEqual(['silent']);
    await daemon.kill('SIGKILL');
    await daemon.launch();
    expect(await grantsOf('revoked')).toEqual([]);
    expect(await reaches([source])).toEqual(['silent']);
    await knock('revoked', source);
    expect(await reaches([source])).toEqual(['open']);
    const [second, ...more] = await grantsOf('revoked');
    expect(more).toEqual([]);
    expect(second?.id).not.toBe(first?.id);
    for (let round = 0; round < 3; round++) {
      await daemon.json('revoke', 'revoked');
      expect(await reaches([source])).toEqual(['silent']);
      await knock('revoked', source);
      expect(await reaches([source])).toEqual(['open']);
    }
  });

  /** What the kernel has left for an address of a service. */
  async function kernelSecondsLeft(address: string, service = 'ssh'): Promise<number> {
    const { stdout } = await lab.gateway.exec('nft', ['-j', 'list', 'set', 'inet', 'sallyport', `grant_${service}_4`]);
    const { nftables } = JSON.parse(stdout) as {
      nftables: { set?: { elem?: { elem: { val: string; expires: number } }[] } }[];
    };
    const elements = nftables.flatMap(({ set }) => set?.elem ?? []);
    return elements.find(({ elem }) => elem.val === address)?.elem.expires ?? Number.NaN;
  }
});

interface ListJson {
  readonly entries: { readonly target: string }[];
  readonly grants: { readonly address: string }[];
}

describe.each([64, 128])('with grants.ipv6_prefix: %i', (prefix) => {
  let lab: Lab;
  let daemon: LabDaemon;

  beforeAll(async () => {
    lab = await Lab.create();
    daemon = lab.daemon({ config: `grants: {ipv6_prefix: ${prefix}}` });
    await daemon.start();
    await daemon.confirm();
    await daemon.addUser('six', { knock: USERS.few, services: ['ssh'] });
    await lab.gateway.tell('listenTcp', { port: 22 });
  });

  afterAll(() => lab?.destroy());

  it(
    prefix === 64 ? 'a knock lets its whole /64 in and no other' : 'a knock lets its own address in alone',
    async () => {
      const inside = await lab.manyAddresses(lab.laptop, 88);
      const outside = await lab.manyAddresses(lab.stranger, 89);
      const address = lab.gateway.ipv6;
      const mine = inside.ipv6(1);
      await lab.laptop.knock(address, steps(USERS.few), { source: mine });
      await eventually(
        () => lab.laptop.tcp(address, 22, { source: mine }),
        (verdict) => verdict === 'open',
      );
      const neighbours = [inside.ipv6(2), 'fd88::ffff:ffff:ffff:ffff', 'fd88::8000:0:0:1'];
      const verdicts = await lab.laptop.tell('tcpFrom', { sources: neighbours, address, port: 22, timeout: 400 });
      expect(verdicts).toEqual(neighbours.map(() => (prefix === 64 ? 'open' : 'silent')));
      expect(await lab.stranger.tcp(address, 22, { source: outside.ipv6(1), timeout: 400 })).toBe('silent');
      expect(await lab.stranger.tcp(address, 22, { timeout: 400 })).toBe('silent');
      expect((await daemon.grants()).map((grant) => grant.address)).toEqual([prefix === 64 ? 'fd88::/64' : mine]);
      await lab.laptop.knock(address, steps(USERS.few), { source: neighbours[0] ?? '' });
      const kinds = prefix === 64 ? ['grant.opened', 'grant.renewed'] : ['grant.opened', 'grant.opened'];
      await eventually(
        async () => {
          // Within a second of the first it counts as the same proof, heard twice.
          await lab.laptop.knock(address, steps(USERS.few), { source: neighbours[0] ?? '' });
          return (await daemon.events()).filter(({ event }) => event.startsWith('grant.')).map(({ event }) => event);
        },
        (events) => events.slice(0, 2).join() === kinds.join(),
      );
      await daemon.json('revoke', mine);
      expect(await lab.laptop.tcp(address, 22, { source: mine, timeout: 400 })).toBe('silent');
      expect(await lab.laptop.tcp(address, 22, { source: neighbours[0] ?? '', timeout: 400 })).toBe(
        prefix === 64 ? 'silent' : 'open',
      );
    },
  );
});
