import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventJson, LabDaemon } from '../support/lab/daemon.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { differences, listTable, type TableListing } from '../support/lab/table.js';

const ALICE = 'tcp/21234,udp/28111,tcp/24711';
const CROWD = 'udp/21401,tcp/24401,udp/22401';
const FAMILIES = ['ipv4', 'ipv6'] as const;
/** The promise: put right within two seconds. */
const PROMISED = 2000;

describe('drift', () => {
  let lab: Lab;
  let daemon: LabDaemon;
  let villain: string;

  const nft = async (program: string, input: string) => {
    const { code, stderr } = await lab.gateway.exec(program, ['-f', '-'], { input });
    expect(code, stderr).toBe(0);
  };
  const table = async (): Promise<TableListing> => {
    const listing = await listTable(lab.gateway);
    if (listing === undefined) throw new Error('there is no table');
    return listing;
  };
  const lastSeq = async () => (await daemon.events()).at(-1)?.seq ?? 0;
  const repairs = async (after: number): Promise<EventJson[]> =>
    (await daemon.events()).filter(({ seq, event }) => seq > after && event === 'drift.repaired');
  const allow = async (body: object) => expect((await daemon.api('POST', '/v1/allow', body)).status).toBe(200);
  const state = async () => (await daemon.api<{ state: string }>('GET', '/v1/firewall')).body.state;
  /** The handle of the first rule of a chain that holds a text. */
  const handleOf = async (chain: string, text: string) => {
    const { stdout } = await lab.gateway.exec('nft', ['-a', 'list', 'chain', 'inet', 'sallyport', chain]);
    const line = stdout.split('\n').find((one) => one.includes(text));
    return Number(/# handle (\d+)/.exec(line ?? '')?.[1]);
  };

  beforeAll(async () => {
    lab = await Lab.create();
    villain = join(lab.directory, 'villain');
    await symlink((await lab.gateway.exec('which', ['nft'])).stdout.trim(), villain);
    daemon = lab.daemon();
    await daemon.start();
    await daemon.confirm();
    await daemon.addUser('alice', { knock: ALICE, services: ['ssh', 'web'], ttl: '1h' });
    await lab.gateway.tell('listenTcp', { port: 22 });
    for (const family of FAMILIES) await lab.laptop.knock(lab.gateway[family], steps(ALICE));
    for (const target of ['10.77.0.50', 'fd77::50', '10.77.4.0/24', 'fd77:4::/64']) {
      await allow({ target, for: '2h', services: ['sip'] });
    }
    for (const target of ['10.77.0.60', 'fd77::60', '10.77.6.0/24', 'fd77:6::/64']) await allow({ target });
    await eventually(
      () => daemon.grants(),
      (grants) => grants.length === 6,
    );
  });

  afterAll(() => lab?.destroy());

  const element = (action: string, set: string, elements: string) =>
    `${action} element inet sallyport ${set} { ${elements} }\n`;

  it.each<readonly [string, string | (() => Promise<string>), RegExp]>([
    ['flushing every ruleset', 'flush ruleset\n', /table was deleted/],
    ['deleting the table', 'delete table inet sallyport\n', /table was deleted/],
    ['deleting a grant', element('delete', 'grant_ssh_4', '10.77.0.2'), /deleted: 10\.77\.0\.2 /],
    [
      'deleting several grants',
      element('delete', 'grant_ssh_4', '10.77.0.2') + element('delete', 'grant_sip_6', 'fd77::50'),
      /deleted: .*fd77::50/,
    ],
    [
      'letting an address in for an hour',
      element('add', 'grant_ssh_4', '10.77.0.3 timeout 1h'),
      /let in past us: 10\.77\.0\.3/,
    ],
    ['letting an address in without a time', element('add', 'grant_all_6', 'fd77::3'), /let in past us: fd77::3/],
    [
      'letting an address in for ever',
      element('add', 'grant_ssh_4', '10.77.0.3 timeout 0s'),
      /let in past us: 10\.77\.0\.3/,
    ],
    [
      'giving a grant more time',
      element('delete', 'grant_ssh_4', '10.77.0.2') + element('add', 'grant_ssh_4', '10.77.0.2 timeout 9h'),
      /another time: 10\.77\.0\.2/,
    ],
    [
      'giving a grant less time',
      element('delete', 'grant_web_6', 'fd77::2') + element('add', 'grant_web_6', 'fd77::2 timeout 20m'),
      /another time: fd77::2/,
    ],
    ['making a network an entry', element('add', 'entry_all_4', '10.77.0.0/28'), /changed/],
    ['deleting an entry', element('delete', 'entry_all_4', '10.77.0.60'), /changed/],
    ["deleting an entry's network", element('delete', 'entry_all_6', 'fd77:6::/64'), /changed/],
    ["deleting a grant's network", element('delete', 'range_sip_4', '10.77.4.0/24'), /changed/],
    ['emptying the sequences', 'flush map inet sallyport step\n', /sequences/],
    ['switching the guard off', 'flush map inet sallyport active\n', /switched off/],
    ['switching IPv6 off', element('delete', 'active', 'ipv6'), /switched off/],
    [
      'deleting a rule',
      async () => `delete rule inet sallyport guard handle ${await handleOf('guard', 'vmap')}\n`,
      /rules were changed/,
    ],
    ['adding a rule', 'insert rule inet sallyport input accept\n', /rules were changed/],
    ['emptying a chain', 'flush chain inet sallyport prerouting\n', /rules were changed/],
    ['putting the table to sleep', 'add table inet sallyport { flags dormant; }\n', /rules were changed/],
    [
      'forgetting who is held',
      'flush set inet sallyport grant_held_4\nflush set inet sallyport grant_held_6\nflush set inet sallyport range_held_4\n',
      /held/,
    ],
  ])('puts right %s, in time, with no more than what was left, and names the program', async (_, act, told) => {
    const after = await lastSeq();
    const before = await table();
    const at = Date.now();
    await nft(villain, typeof act === 'string' ? act : await act());
    const [event] = await eventually(
      () => repairs(after),
      (events) => events.length > 0,
    );
    expect(event?.detail).toMatch(told);
    expect(event?.detail).toContain('villain');
    expect(Date.parse(event?.at ?? '') - at).toBeLessThan(PROMISED);
    await eventually(
      async () => differences(before, await listTable(lab.gateway), (Date.now() - at) / 1000),
      (found) => found.length === 0,
    );
    expect(await lab.stranger.tcp(lab.gateway.ipv4, 22, { timeout: 200 })).toBe('silent');
    expect(await lab.laptop.tcp(lab.gateway.ipv4, 22)).toBe('open');
    expect(await repairs(after)).toHaveLength(1);
  });

  it('puts right at the start what was changed while the gateway did not run', async () => {
    const after = await lastSeq();
    const before = await table();
    const at = Date.now();
    await daemon.kill('SIGKILL');
    await nft(
      villain,
      element('add', 'grant_ssh_4', '10.77.0.3 timeout 1h') +
        element('add', 'entry_all_6', 'fd77::3') +
        element('delete', 'grant_ssh_6', 'fd77::2') +
        element('delete', 'entry_all_4', '10.77.0.60') +
        'flush map inet sallyport step\nflush set inet sallyport grant_held_4\n',
    );
    await daemon.launch();
    await eventually(
      async () => differences(before, await listTable(lab.gateway), (Date.now() - at) / 1000),
      (found) => found.length === 0,
    );
    expect(await repairs(after)).toEqual([]);
  });

  it('says nothing of transactions that leave our table alone, nor of any change of its own', async () => {
    const after = await lastSeq();
    await nft(villain, 'add table inet other\nadd chain inet other c\nadd set inet other s { type ipv4_addr; }\n');
    await nft(villain, 'add element inet other s { 10.0.0.1 }\ndelete table inet other\n');
    await daemon.addUser('bob', { knock: 'udp/22345,udp/27111,udp/23711', services: ['sip'], ttl: '1s' });
    await Promise.all(
      Array.from({ length: 40 }, (_, i) => allow({ target: `10.78.0.${i}`, for: i % 2 ? '1s' : '1h' })),
    );
    const busy = [
      ...Array.from({ length: 10 }, (_, i) => allow({ target: `10.79.${i}.0/24`, for: i % 2 ? '1s' : '1h' })),
      ...Array.from({ length: 10 }, (_, i) => allow({ target: `10.80.${i}.0/24` })),
      ...Array.from({ length: 20 }, (_, i) => daemon.addUser(`user${i}`, { services: ['ssh'] })),
      ...FAMILIES.map((family) => lab.laptop.knock(lab.gateway[family], steps(ALICE))),
      ...FAMILIES.map((family) => lab.phone.knock(lab.gateway[family], steps('udp/22345,udp/27111,udp/23711'))),
    ];
    await Promise.all(busy);
    const revoke = async (what: string) => expect((await daemon.api('POST', '/v1/revoke', { what })).status).toBe(200);
    await Promise.all([
      ...Array.from({ length: 10 }, (_, i) => revoke(`10.78.0.${2 * i}`)),
      ...Array.from({ length: 10 }, (_, i) => revoke(`10.80.${i}.0/24`)),
      ...Array.from({ length: 20 }, (_, i) => daemon.api('DELETE', `/v1/users/user${i}`)),
      daemon.api('POST', '/v1/users/bob/rotate'),
    ]);
    for (const command of [['status'], ['confirm'], ['restore'], ['apply']]) {
      expect((await daemon.cli('firewall', ...command)).code, command.join()).toBe(0);
    }
    await eventually(
      async () => (await daemon.events()).filter(({ seq, event }) => seq > after && event === 'grant.expired').length,
      (expired) => expired === 27,
    );
    // Transactions are told in their order: when the last is known, all before it are.
    await nft(villain, element('add', 'grant_ssh_4', '10.77.0.3 timeout 1h'));
    const found = await eventually(
      () => repairs(after),
      (events) => events.length > 0,
    );
    expect(found.map(({ detail }) => detail)).toEqual([
      expect.stringContaining('let in past us: 10.77.0.3 by villain'),
    ]);
  });

  it('keeps a thousand live grants when every ruleset is flushed', async () => {
    const open = (await daemon.grants()).length;
    const { ipv4 } = await lab.manyAddresses(lab.phone, 90);
    await daemon.addUser('crowd', { knock: CROWD, services: ['ssh'], ttl: '1h', max_addresses: 1000 });
    for (let start = 1; start <= 1000; start += 500) {
      const streams = Array.from({ length: 500 }, (_, i) => ({ source: ipv4(start + i), knocks: steps(CROWD) }));
      await lab.phone.streams(lab.gateway.ipv4, streams);
    }
    await eventually(
      () => daemon.grants(),
      (grants) => grants.length === open + 1000,
    );
    const after = await lastSeq();
    const before = await table();
    const at = Date.now();
    await nft('nft', 'flush ruleset\n');
    const [event] = await eventually(
      () => repairs(after),
      (events) => events.length > 0,
    );
    expect(Date.parse(event?.at ?? '') - at).toBeLessThan(PROMISED);
    expect(event?.detail).toMatch(/deleted by nft \(process \d+\)/);
    expect(differences(before, await table(), (Date.now() - at) / 1000)).toEqual([]);
  });

  it('leaves the guard open after panic, even when the rules are flushed, until it is applied again', async () => {
    const after = await lastSeq();
    expect((await daemon.cli('firewall', 'panic')).code).toBe(0);
    await eventually(state, (now) => now === 'open');
    const until = Date.now() + 3000;
    await allow({ target: '10.77.0.70', for: '1h' });
    await lab.phone.knock(lab.gateway.ipv4, steps('udp/22345,udp/27111,udp/23711'));
    await eventually(Date.now, (now) => now > until);
    expect(await state()).toBe('open');
    expect(await lab.stranger.tcp(lab.gateway.ipv4, 22)).toBe('open');
    expect((await table()).sets).toEqual({});

    await nft('nft', 'flush ruleset\n');
    await eventually(Date.now, (now) => now > until + PROMISED);
    expect(await state()).toBe('open');
    expect(await listTable(lab.gateway)).toBeUndefined();
    expect((await daemon.cli('firewall', 'confirm')).code).toBe(1);

    expect((await daemon.cli('firewall', 'apply')).code).toBe(0);
    expect(await state()).toBe('provisional');
    expect(await lab.stranger.tcp(lab.gateway.ipv4, 22, { timeout: 250 })).toBe('silent');
    expect((await table()).sets.grant_all_4?.map(({ key }) => key)).toContain('["10.77.0.70"]');
    expect((await daemon.cli('firewall', 'confirm')).code).toBe(0);
    const events = (await daemon.events()).filter(({ seq }) => seq > after).map(({ event }) => event);
    expect(events.filter((event) => /^(firewall|drift)/.test(event))).toEqual([
      'firewall.opened',
      'firewall.provisional',
      'firewall.confirmed',
    ]);
  });

  it('stays open over a restart after panic', async () => {
    await daemon.cli('firewall', 'panic');
    await daemon.kill();
    await daemon.launch();
    expect(await state()).toBe('open');
    expect(await lab.stranger.tcp(lab.gateway.ipv4, 22)).toBe('open');
  });

  it('does not put up again a guard that was rolled back', async () => {
    await daemon.kill();
    const other = lab.daemon({ name: 'other' });
    await lab.gateway.exec('nft', ['delete', 'table', 'inet', 'sallyport']);
    await other.start();
    const view = async () => (await other.api<{ state: string }>('GET', '/v1/firewall')).body.state;
    expect(await view()).toBe('provisional');
    expect(await lab.stranger.tcp(lab.gateway.ipv4, 22, { timeout: 250 })).toBe('silent');
    await other.cli('firewall', 'rollback');
    for (const input of [
      'flush ruleset\n',
      'table inet sallyport { chain c { }; }\n',
      'delete table inet sallyport\n',
    ]) {
      await nft('nft', input);
    }
    await eventually(Date.now, passed(PROMISED));
    expect(await view()).toBe('reverted');
    expect(await listTable(lab.gateway)).toBeUndefined();
    expect(await lab.stranger.tcp(lab.gateway.ipv4, 22)).toBe('open');
    expect((await other.events()).filter(({ event }) => event === 'drift.repaired')).toEqual([]);
  });
});

function passed(ms: number): (now: number) => boolean {
  const end = Date.now() + ms;
  return (now) => now > end;
}
