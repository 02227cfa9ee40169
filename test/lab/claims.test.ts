import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePairing, type PairingCode } from '#dist/core/pairing.js';
import type { LabDaemon } from '../support/lab/daemon.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';

const ALICE = 'tcp/21234,udp/28111,udp/24711';
const BOB = 'udp/22345,udp/27111,udp/23711';
const CODE = '402913' as PairingCode;

interface Status {
  readonly claims: readonly { readonly address: string; readonly user: string; readonly waits_for: string }[];
  readonly parts: Readonly<Record<string, { readonly state: string; readonly calls?: number }>>;
}

describe('a knock that asks for a yes', () => {
  let lab: Lab;
  let daemon: LabDaemon;

  beforeAll(async () => {
    lab = await Lab.create();
    daemon = lab.daemon();
    await daemon.start();
    await daemon.confirm();
    await daemon.addUser('alice', { knock: ALICE, services: ['ssh'] });
    await daemon.addUser('bob', { knock: BOB, services: ['ssh'] });
    await lab.gateway.tell('listenTcp', { port: 22 });
  });

  afterAll(() => lab?.destroy());

  const status = () => daemon.json<Status>('status');
  const claimOf = (address: string) =>
    eventually(
      async () => (await status()).claims.find((claim) => claim.address === address),
      (claim) => claim !== undefined,
    );

  it.each(['ipv4', 'ipv6'] as const)('opens nothing where its user has to say it, over %s', async (family) => {
    await daemon.json('user', 'set', 'alice', '--approval', 'phone');
    await lab.laptop.knock(lab.gateway[family], steps(ALICE));
    expect(await claimOf(lab.laptop[family])).toMatchObject({ user: 'alice', waits_for: 'call' });
    expect(await lab.laptop.tcp(lab.gateway[family], 22, { timeout: 250 })).toBe('silent');
    expect(await daemon.grants()).toEqual([]);
    expect(await daemon.eventsNamed('claim.made')).toContainEqual(
      expect.objectContaining({ user: 'alice', address: lab.laptop[family], method: 'knock' }),
    );
  });

  it('opens nothing with a pairing code, which is told nowhere', async () => {
    await lab.phone.knock(lab.gateway.ipv4, steps(BOB), { payload: [...encodePairing(CODE)] });
    expect(await claimOf(lab.phone.ipv4)).toMatchObject({ user: 'bob', waits_for: 'code' });
    expect(await lab.phone.tcp(lab.gateway.ipv4, 22, { timeout: 250 })).toBe('silent');
    expect(JSON.stringify([await status(), await daemon.events(), daemon.output])).not.toContain(CODE);
  });

  it('is dropped by revoking its user or its address, and by nothing else', async () => {
    const { laptop, stranger, gateway } = lab;
    await laptop.knock(gateway.ipv4, steps(ALICE));
    await stranger.knock(gateway.ipv4, steps(ALICE));
    await claimOf(laptop.ipv4);
    await claimOf(stranger.ipv4);
    const addresses = async () => (await status()).claims.map(({ address }) => address).sort();
    const before = await addresses();
    const revoke = (what: string) => daemon.json<{ dropped: { address: string; user: string }[] }>('revoke', what);
    const theirs = { address: stranger.ipv4, user: 'alice' };
    expect(await revoke(stranger.ipv4)).toMatchObject({ revoked: [], removed: [], dropped: [theirs] });
    expect(await addresses()).toEqual(before.filter((address) => address !== stranger.ipv4));
    expect((await daemon.cli('revoke', stranger.ipv4)).stderr).toMatch(/^SP_NOT_FOUND: /);
    // The laptop's, over both families: bob's stays.
    expect((await revoke('alice')).dropped.map(({ address }) => address).sort()).toEqual([laptop.ipv4, laptop.ipv6]);
    expect(await addresses()).toEqual([lab.phone.ipv4]);
    expect(await daemon.eventsNamed('claim.revoked')).toHaveLength(3);
  });

  it('opens again once nobody has to be asked', async () => {
    await daemon.json('user', 'set', 'alice', '--approval', 'none');
    await lab.laptop.knock(lab.gateway.ipv4, steps(ALICE));
    await eventually(
      () => lab.laptop.tcp(lab.gateway.ipv4, 22),
      (verdict) => verdict === 'open',
    );
  });

  it('is asked for of whoever has it so after a restart, and has to be made anew then', async () => {
    await daemon.json('user', 'set', 'bob', '--approval', 'callback', '--number', '+1 555 0100');
    await daemon.kill();
    await daemon.start();
    expect(await daemon.json('user', 'show', 'bob')).toMatchObject({ approval: 'callback', number: '+15550100' });
    expect((await status()).claims).toEqual([]);
    await lab.phone.knock(lab.gateway.ipv4, steps(BOB));
    expect(await claimOf(lab.phone.ipv4)).toMatchObject({ user: 'bob', waits_for: 'callback' });
    expect(await lab.phone.tcp(lab.gateway.ipv4, 22, { timeout: 250 })).toBe('silent');
  });
});
