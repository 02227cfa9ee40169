import { mkdir, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Says } from '../support/dns/server.mjs';
import type { LabDaemon } from '../support/lab/daemon.js';
import { mustNft } from '../support/lab/kernel.js';
import { eventually, Lab } from '../support/lab/lab.js';

/*
 * The phone serves names. Every second the gateway looks all of them up, since its schedule says so. The laptop has the
 * addresses that names move between:
 *
 *   laptop  10.77.0.11 to .29, fd77::11 to ::19 ── bridge ── gateway .1: asks phone .4
 */
const LIES: Readonly<Record<string, Says>> = {
  silent: { does: 'nothing' },
  fails: { rcode: 'servfail' },
  refuses: { rcode: 'refused' },
  empty: {},
  garbage: { does: 'garbage' },
  circle: { does: 'loop' },
  loopback: { A: ['127.0.0.1'], AAAA: ['::1'] },
  ourselves: { A: ['10.77.0.1'], AAAA: ['fd77::1'] },
  thousand: { does: 'truncate', A: Array.from({ length: 1000 }, (_, i) => `10.9.${i >> 8}.${i & 255}`) },
};
const LIARS = Object.keys(LIES).map((kind, i) => ({ kind, name: `${kind}.example.org`, address: `10.77.0.${20 + i}` }));

const CONFIG = (servers: string) => `
trusted:
  names:
    - {name: home.example.org, services: [ssh], note: Ann}
${LIARS.map(({ name }) => `    - {name: ${name}, services: [ssh]}`).join('\n')}
names: {schedule: '* * * * * *', ${servers}nxdomain_after: 2s, max_addresses: 4}
`;
const HOME = 'home.example.org';

interface Tracked {
  readonly state: string;
  readonly addresses: string[];
  readonly resolved_at: string | null;
  readonly detail: string | null;
}
interface EntryJson {
  readonly id: string;
  readonly target: string;
  readonly source: string;
  readonly services: string[];
  readonly tracked: Tracked | null;
}

let lab: Lab;
let daemon: LabDaemon;

const v4 = (n: number) => `10.77.0.${10 + n}`;
const v6 = (n: number) => `fd77::${10 + n}`;
const say = (name: string, says: Says) => lab.phone.tell('dnsSet', { name, says });
const die = (isDead: boolean) => lab.phone.tell('dnsDie', { isDead });
const entryOf = async (name: string): Promise<EntryJson> => {
  const { body } = await daemon.api<{ entries: EntryJson[] }>('GET', '/v1/access');
  const entry = body.entries.find(({ target }) => target === name);
  if (entry === undefined) throw new Error(`${name} is not listed`);
  return entry;
};
const trackedOf = async (name = HOME): Promise<Tracked> => {
  const { tracked } = await entryOf(name);
  if (tracked === null) throw new Error(`${name} is not tracked`);
  return tracked;
};
const becomes = (state: string, name = HOME) =>
  eventually(
    () => trackedOf(name),
    (one) => one.state === state,
    10_000,
  );
const holds = (addresses: readonly string[], name = HOME) =>
  eventually(
    () => trackedOf(name),
    (one) => one.addresses.join() === addresses.join(),
    10_000,
  );
/** What an address of the laptop sees of SSH. */
const sees = (source: string): Promise<string> => {
  const { ipv4, ipv6 } = lab.gateway;
  return lab.laptop.tcp(source.includes(':') ? ipv6 : ipv4, 22, { source, timeout: 250 });
};
const allSee = (...sources: string[]) => Promise.all(sources.map(sees));
const told = async (event: string) => (await daemon.eventsNamed(event)).map(({ detail }) => detail);

beforeAll(async () => {
  lab = await Lab.create();
  for (let n = 1; n <= 9; n++) {
    await lab.laptop.addAddress(`${v4(n)}/24`);
    await lab.laptop.addAddress(`${v6(n)}/64`);
  }
  for (const { address } of LIARS) await lab.laptop.addAddress(`${address}/24`);
  await lab.phone.tell('dnsListen', { address: lab.phone.ipv4 });
  await lab.gateway.tell('listenTcp', { port: 22 });
  await lab.gateway.tell('listenTcp', { port: 80 });
  await lab.gateway.tell('listenUdp', { port: 5060 });
  await say(HOME, { A: [v4(1)], AAAA: [v6(1)], ttl: 1 });
  for (const { name, address } of LIARS) await say(name, { A: [address], ttl: 1 });
  daemon = lab.daemon({ config: CONFIG(`servers: [${lab.phone.ipv4}], `) });
  await daemon.start();
  await daemon.confirm();
});
afterAll(() => lab?.destroy());

/** HOME as it was at the beginning. */
const atHome = async () => {
  await say(HOME, { A: [v4(1)], AAAA: [v6(1)], ttl: 1 });
  await holds([v4(1), v6(1)]);
};

describe('a host name of the configuration', () => {
  it('lets its addresses in, of both families, to its services and nobody else', async () => {
    await atHome();
    expect(await allSee(v4(1), v6(1), v4(2), v6(2))).toEqual(['open', 'open', 'silent', 'silent']);
    expect(await lab.laptop.tcp(lab.gateway.ipv4, 80, { source: v4(1), timeout: 250 })).toBe('silent');
    expect(await entryOf(HOME)).toMatchObject({ source: 'config', services: ['ssh'] });
  });

  it('that moves has the new address in and the old one out, and the journal tells', async () => {
    await say(HOME, { A: [v4(2)], AAAA: [v6(2)], ttl: 1 });
    await holds([v4(2), v6(2)]);
    const seen = () => allSee(v4(2), v6(2), v4(1), v6(1));
    await eventually(seen, (all) => all.join() === 'open,open,silent,silent');
    expect(await told('name.moved')).toContain(`${HOME}: in: ${v4(2)}, ${v6(2)}; out: ${v4(1)}, ${v6(1)}`);
  });

  it('does not shut out for a moment an address that stays, while others come and go', async () => {
    await say(HOME, { A: [v4(1), v4(2)], ttl: 1 });
    await holds([v4(1), v4(2)]);
    const flow = await lab.laptop.hold('tcp', lab.gateway.ipv4, 22, { source: v4(1) });
    await eventually(
      () => flow.ping(),
      (isThere) => isThere,
    );
    for (const other of [3, 4]) {
      await say(HOME, { A: [v4(1), v4(other)], ttl: 1 });
      while (!(await trackedOf()).addresses.includes(v4(other))) expect(await flow.ping()).toBe(true);
      expect([await flow.ping(), await sees(v4(1))]).toEqual([true, 'open']);
    }
    await flow.release();
  });

  it('that is no more is let in for a while, then dropped, and comes back', async () => {
    await atHome();
    await say(HOME, { rcode: 'nxdomain' });
    await becomes('missing');
    expect(await sees(v4(1))).toBe('open');
    await becomes('dropped');
    await eventually(
      () => allSee(v4(1), v6(1)),
      (seen) => seen.join() === 'silent,silent',
    );
    expect(await told('name.dropped')).toHaveLength(1);
    await say(HOME, { A: [v4(3)], ttl: 1 });
    await holds([v4(3)]);
    await eventually(
      () => sees(v4(3)),
      (seen) => seen === 'open',
    );
  });
});

it('whatever the DNS does instead of answering, who was in is in, and each name is told of once', async () => {
  const all = LIARS.map(({ address }) => address);
  const states = () => Promise.all(LIARS.map(async ({ name }) => (await trackedOf(name)).state));
  await eventually(states, (now) => now.every((state) => state === 'ok'), 10_000);
  expect(await allSee(...all, v4(9))).toEqual([...all.map(() => 'open'), 'silent']);
  for (const { kind, name } of LIARS) await say(name, LIES[kind] ?? {});
  await eventually(states, (now) => now.every((state) => state === 'degraded'), 15_000);
  const asked = () => lab.phone.tell<number>('dnsAsked', { name: 'empty.example.org' });
  const before = await asked();
  await eventually(asked, (now) => now >= before + 4, 10_000);
  expect(await allSee(...all, v4(9))).toEqual([...all.map(() => 'open'), 'silent']);
  const failures = await told('name.failed');
  for (const { name, address } of LIARS) {
    const { addresses, detail } = await trackedOf(name);
    expect(addresses).toEqual([address]);
    expect(failures.filter((text) => text?.startsWith(name))).toEqual([`${name}: ${detail}; still in: ${address}`]);
  }
  const { body } = await daemon.api<{ parts: { names: object } }>('GET', '/v1/status');
  expect(body.parts.names).toMatchObject({
    state: 'degraded',
    tracked: 10,
    detail: expect.stringContaining('and 8 more'),
  });
  for (const { name, address } of LIARS) await say(name, { A: [address], ttl: 1 });
  await eventually(states, (now) => now.every((state) => state === 'ok'), 15_000);
  expect(await told('name.recovered')).toEqual(expect.arrayContaining([`${LIARS[0]?.name}: it is ${all[0]}`]));
});

describe('a host name of an operator', () => {
  const NAME = 'office.example.org';

  it('is let in by allow, seen by list and whois, and put out by revoke', async () => {
    await say(NAME, { A: [v4(6)], AAAA: [v6(6)], ttl: 1 });
    const { code, stdout } = await daemon.cli(
      'allow',
      'Office.Example.org',
      '--services',
      'ssh,sip',
      '--note',
      'branch',
    );
    expect([code, stdout]).toEqual([0, expect.stringContaining(`it is ${v4(6)}, ${v6(6)}`)]);
    expect(await allSee(v4(6), v6(6))).toEqual(['open', 'open']);
    expect((await daemon.cli('list')).stdout).toMatch(new RegExp(`${NAME}.*${v4(6)}.*ok.*operator.*branch`));
    const { body } = await daemon.api('GET', `/v1/access/${v4(6)}`);
    expect(body).toMatchObject({ allowed: ['ssh', 'sip'], entries: [{ target: NAME }] });
    const flow = await lab.laptop.hold('udp', lab.gateway.ipv4, 5060, { source: v4(6) });
    expect(await flow.ping()).toBe(true);
    expect((await daemon.cli('revoke', NAME)).stdout).toContain(`removed: ${NAME}`);
    expect(await allSee(v4(6), v6(6))).toEqual(['silent', 'silent']);
    await lab.gateway.tell('udpSend', { port: 5060, address: v4(6), toPort: flow.localPort });
    expect(await flow.ping()).toBe(false);
    await flow.release();
  });

  it('that does not resolve is kept, and let in as soon as it does', async () => {
    const { code, stdout } = await daemon.cli('allow', 'later.example.org', '--services', 'ssh');
    expect([code, stdout]).toEqual([0, expect.stringContaining('NXDOMAIN')]);
    await say('later.example.org', { A: [v4(7)], ttl: 1 });
    await eventually(
      () => sees(v4(7)),
      (seen) => seen === 'open',
      10_000,
    );
  });

  it.each([
    ['allow', { target: 'ü.example.org' }, 'SP_HOST_NAME_INVALID'],
    ['allow', { target: `${'a.'.repeat(149)}org` }, 'SP_REQUEST_INVALID'],
    ['allow', { target: 'alice' }, 'SP_HOST_NAME_INVALID'],
    ['allow', { target: NAME, for: '1h' }, 'SP_TARGET_NAME'],
    ['allow', { target: NAME, services: ['nothing'] }, 'SP_SERVICE_UNKNOWN'],
    ['revoke', { what: NAME }, 'SP_NOT_FOUND'],
    ['revoke', { what: HOME }, 'SP_ENTRY_CONFIGURED'],
  ] as const)('is refused in a word: %s %j', async (what, body, code) => {
    expect((await daemon.api('POST', `/v1/${what}`, body)).body).toMatchObject({ error: { code } });
  });
});

describe('with the DNS dead', () => {
  it('whoever was in is in after a restart, and after a boot that has no daemon', async () => {
    await atHome();
    await die(true);
    await daemon.kill('SIGKILL');
    await daemon.launch();
    const everybody = [v4(1), v6(1), v4(7), v4(9)];
    const expected = ['open', 'open', 'open', 'silent'];
    expect(await allSee(...everybody)).toEqual(expected);
    await becomes('degraded');
    await daemon.kill('SIGKILL');
    await mustNft(lab.gateway, 'flush ruleset');
    const { code, stderr } = await daemon.cli('firewall', 'restore');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(await allSee(...everybody)).toEqual(expected);
  });

  it('the name server that resolv.conf has meanwhile is asked, and what left does not come back as a reply', async () => {
    const folder = `/etc/netns/${lab.gateway.namespace}`;
    await mkdir(folder, { recursive: true });
    try {
      await writeFile(`${folder}/resolv.conf`, 'nameserver 10.77.0.99\n');
      await daemon.writeConfig(CONFIG('').replace('[ssh], note', '[ssh, sip], note'));
      await daemon.launch();
      expect(await sees(v4(1))).toBe('open');
      const flow = await lab.laptop.hold('udp', lab.gateway.ipv4, 5060, { source: v4(1) });
      expect(await flow.ping()).toBe(true);
      await die(false);
      await say(HOME, { A: [v4(2)], ttl: 1 });
      await writeFile(`${folder}/resolv.conf`, `nameserver ${lab.phone.ipv4}\n`);
      await holds([v4(2)]);
      await eventually(
        () => allSee(v4(2), v4(1)),
        (seen) => seen.join() === 'open,silent',
      );
      await daemon.kill('SIGTERM');
      await daemon.launch();
      await lab.gateway.tell('udpSend', { port: 5060, address: v4(1), toPort: flow.localPort });
      expect(await flow.ping()).toBe(false);
      await flow.release();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
