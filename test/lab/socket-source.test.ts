/** Knocks that come to sockets, with the ports closed by nftables. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GrantJson, LabDaemon, UserJson } from '../support/lab/daemon.js';
import { arming, grantElements, hasTable, mustNft } from '../support/lab/kernel.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { knockProgram } from '../support/peers.js';

const ALICE = 'udp/21234,udp/28111,udp/24711';
const BOB = 'udp/22345,tcp/27111,udp/23711';
const WITNESS = 'udp/29001,udp/29003';
const FAMILIES = ['ipv4', 'ipv6'] as const;

describe('knocks over sockets, with nftables', () => {
  let lab: Lab;
  let daemon: LabDaemon;

  beforeAll(async () => {
    lab = await Lab.create();
    daemon = lab.daemon({ config: 'knock: {source: socket, socket_protocols: [udp, tcp], strikes: off}' });
    await daemon.start();
    await daemon.confirm();
    await daemon.addUser('alice', { knock: ALICE, services: ['ssh'] });
    await daemon.addUser('bob', { knock: BOB, services: ['web'] });
    await daemon.addUser('witness', { knock: WITNESS, services: ['sip'] });
    await lab.gateway.tell('listenTcp', { port: 22 });
    await lab.gateway.tell('listenTcp', { port: 80 });
  });
  afterAll(() => lab?.destroy());

  const sees = (host: 'laptop' | 'phone' | 'stranger', port: number, family: 'ipv4' | 'ipv6') =>
    lab[host].tcp(lab.gateway[family], port, { timeout: 250 });
  const getsIn = (host: 'laptop' | 'phone' | 'stranger', port: number, family: 'ipv4' | 'ipv6') =>
    eventually(
      () => sees(host, port, family),
      (verdict) => verdict === 'open',
    );
  const shutOut = async () => {
    for (const { id } of await daemon.grants()) await daemon.api('POST', '/v1/revoke', { what: id });
  };
  /** All that came from a host before this has been answered after it. */
  const witnessed = async (host: 'laptop' | 'stranger', family: 'ipv4' | 'ipv6') => {
    const mine = async () => (await daemon.grants()).filter(({ address }) => address === lab[host][family]);
    const isWitnessed = (grants: GrantJson[]) => grants.some(({ user }) => user === 'witness');
    // The order of packets that wait together at different sockets is lost: after a sweep it may take another try.
    for (let tries = 0; tries < 20 && !isWitnessed(await mine()); tries++) {
      await lab[host].knock(lab.gateway[family], steps(WITNESS), { pause: 60 });
      await eventually(mine, isWitnessed, 1000).catch(() => undefined);
    }
    const found = await eventually(mine, isWitnessed, 1000);
    return found.map(({ user }) => user).filter((user) => user !== 'witness');
  };

  it.each(FAMILIES)('let the one in who knocks, to the right services, and no stranger, over %s', async (family) => {
    expect([await sees('laptop', 22, family), await sees('stranger', 22, family)]).toEqual(['silent', 'silent']);
    await lab.laptop.knock(lab.gateway[family], steps(ALICE));
    await getsIn('laptop', 22, family);
    expect([await sees('laptop', 80, family), await sees('stranger', 22, family)]).toEqual(['silent', 'silent']);
    expect(await daemon.grantFor(lab.laptop[family])).toMatchObject({ user: 'alice', method: 'knock' });
  });

  it.each(FAMILIES)('take connections for knocks where TCP is listened to, over %s', async (family) => {
    await lab.phone.knock(lab.gateway[family], steps(BOB), { pause: 100 });
    await getsIn('phone', 80, family);
    expect(await sees('phone', 22, family)).toBe('silent');
  });

  it('are answered with nothing over UDP, and cut at once over TCP', async () => {
    expect(await lab.stranger.udp(lab.gateway.ipv4, 21234, { timeout: 300 })).toBe('silent');
    // The reset may be here before the connection is told of.
    expect(['open', 'error ECONNRESET']).toContain(await lab.stranger.tcp(lab.gateway.ipv4, 27111));
  });

  it.each(FAMILIES)('do not open with a wrong packet between them, over %s', async (family) => {
    const [a, b, c] = steps(ALICE);
    const wrong = { protocol: 'udp', port: 25_000 } as const;
    if (a === undefined || b === undefined || c === undefined) throw new Error('no sequence');
    for (const knocks of [
      [a, wrong, b, c],
      [a, b, wrong, c],
      [a, c, b],
      [c, b, a],
      [a, b, { ...c, protocol: 'tcp' as const }],
    ]) {
      // A witness of before would tell nothing of these.
      await shutOut();
      await lab.laptop.knock(lab.gateway[family], knocks, { pause: 60 });
      expect(await witnessed('laptop', family)).toEqual([]);
    }
    // As a client does: where the machine stalls, packets wait together at different sockets, and their order is lost.
    const users = await eventually(
      async () => {
        await shutOut();
        await lab.laptop.knock(lab.gateway[family], [a, a, b, a, b, c], { pause: 60 });
        return await witnessed('laptop', family);
      },
      (found) => found.length > 0,
      20_000,
    );
    expect(users).toEqual(['alice']);
  });

  it.each(FAMILIES)(
    'a sweep of the whole pool opens nothing, up and down, three times over, over %s',
    async (family) => {
      await shutOut();
      for (let n = 0; n < 15; n++) await daemon.addUser(`${family}-${n}`, { services: ['ssh'], length: 2 + (n % 3) });
      const address = lab.gateway[family];
      const up = { address, protocol: 'udp', first: 21_000, last: 29_999, times: 3 };
      await lab.stranger.tell('sweep', up);
      expect(await witnessed('stranger', family)).toEqual([]);
      await lab.stranger.tell('sweep', { ...up, first: 29_999, last: 21_000 });
      expect(await witnessed('stranger', family)).toEqual([]);
    },
  );

  it("Debian's knock gets in over UDP", async (ctx) => {
    const program = knockProgram();
    if (program.path === undefined) return ctx.skip(program.reason);
    await shutOut();
    const ports = steps(ALICE).map(({ protocol, port }) => `${port}:${protocol}`);
    const { code, stderr } = await lab.laptop.exec(program.path, ['-d', '50', lab.gateway.ipv4, ...ports]);
    expect(`${code} ${stderr}`).toBe('0 ');
    await getsIn('laptop', 22, 'ipv4');
  });

  it('nothing was taken for drift so far, and no rule recognises knocks', async () => {
    expect(await daemon.eventsNamed('drift.repaired')).toEqual([]);
    const { stdout } = await lab.gateway.exec('nft', ['list', 'table', 'inet', 'sallyport']);
    expect(stdout).toContain('grant_ssh_4');
    expect(stdout).not.toMatch(/\bstep\b|state_4|done_4|\blog group\b/);
  });

  it.each([
    ['the whole ruleset is flushed', 'flush ruleset'],
    ['a stranger is let in', 'add element inet sallyport grant_ssh_4 { 10.77.0.3 timeout 1h }'],
    ['the guard is switched off', 'flush map inet sallyport active'],
  ])('it is put right when %s', async (_, command) => {
    const { length } = await daemon.eventsNamed('drift.repaired');
    await mustNft(lab.gateway, command);
    await eventually(
      () => daemon.eventsNamed('drift.repaired'),
      (events) => events.length > length,
    );
    expect([await hasTable(lab.gateway), await arming(lab.gateway)]).toEqual([true, 'for good']);
    expect([await sees('stranger', 22, 'ipv4'), await sees('laptop', 22, 'ipv4')]).toEqual(['silent', 'open']);
  });

  it('who comes, goes or gets another sequence counts at once', async () => {
    await shutOut();
    const { body } = await daemon.api<UserJson>('POST', '/v1/users/alice/rotate');
    await lab.laptop.knock(lab.gateway.ipv4, steps(ALICE));
    expect(await witnessed('laptop', 'ipv4')).toEqual([]);
    await lab.laptop.knock(lab.gateway.ipv4, body.sequence);
    expect(await witnessed('laptop', 'ipv4')).toEqual(['alice']);
    await daemon.api('DELETE', '/v1/users/alice');
    await lab.laptop.knock(lab.gateway.ipv4, body.sequence);
    expect(await witnessed('laptop', 'ipv4')).toEqual([]);
  });

  it('a restart finds the guard and its grants as they were, and hears knocks', async () => {
    await lab.phone.knock(lab.gateway.ipv4, steps(BOB), { pause: 100 });
    await getsIn('phone', 80, 'ipv4');
    const elements = (await grantElements(lab.gateway)).map(({ set, value, comment }) => `${set} ${value} ${comment}`);
    expect(await daemon.kill('SIGTERM')).toBe(0);
    await daemon.launch();
    const found = (await grantElements(lab.gateway)).map(({ set, value, comment }) => `${set} ${value} ${comment}`);
    expect(found.sort()).toEqual(elements.sort());
    await lab.laptop.knock(lab.gateway.ipv4, steps(BOB), { pause: 100 });
    await getsIn('laptop', 80, 'ipv4');
  });
});
