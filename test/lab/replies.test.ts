import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import type { Flow } from '../support/lab/host.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';

/*
 * Who spoke first. A PBX serves udp/5060 and also speaks from there on its own accord: to its provider, which was never let
 * in and whose answers have to pass, and to phones (is it still there?) long after their time is over. To conntrack, what
 * such a phone says then is an answer too. Conntrack forgets UDP after a second here, instead of minutes.
 */
const SIP = 5060;
const ALICE = 'tcp/21234,udp/28111,tcp/24711';
const FORGOTTEN = 1500;

type Family = 'ipv4' | 'ipv6';
const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];

interface Phone {
  readonly name: string;
  readonly address: string;
  /** What let it in, as `revoke` takes it. */
  readonly target: string;
  readonly flow: Flow;
}

/** How phones get in and out; each at the addresses 10.77.0.N and fd77::N. */
const WAYS: readonly { how: string; at: number; target?: (family: Family) => string; for?: string }[] = [
  { how: 'a knock that expired', at: 4 },
  { how: 'a grant that expired', at: 41, for: '2500ms' },
  { how: 'a grant that was revoked', at: 42, for: '1h' },
  { how: 'a grant for its network that expired', at: 49, for: '2500ms', target: networkOf('48') },
  { how: 'a grant for its network that was revoked', at: 85, for: '1h', target: networkOf('84') },
  { how: 'an entry that was removed', at: 43 },
  { how: 'an entry for its network that was removed', at: 89, target: networkOf('88') },
];

/** What the configuration trusts until it is changed. */
const TRUSTED = ['10.77.0.44', 'fd77::44', '10.77.0.64/30', 'fd77::64/126'];
const TRUSTED_PHONES = ['10.77.0.44', 'fd77::44', '10.77.0.65', 'fd77::65'];
const CONFIG = `trusted: {addresses: [${TRUSTED.map((address) => `{address: "${address}", services: [sip]}`).join(', ')}]}`;

describe('a PBX that speaks first', () => {
  let lab: Lab;
  let daemon: LabDaemon;
  const phones: Phone[] = [];
  const trusted: Phone[] = [];

  const allow = async (body: object) => {
    const { status, body: answer } = await daemon.api('POST', '/v1/allow', { services: ['sip'], ...body });
    if (status >= 300) throw new Error(JSON.stringify(answer));
  };
  const seen = (address: string) => lab.gateway.tell<number>('udpLastSeen', { port: SIP, from: address });

  /** Both sides talk, and the PBX begins. */
  async function talk(those: readonly Phone[], forMs: number): Promise<void> {
    for (const { address, flow } of those) {
      await lab.gateway.tell('udpTalk', { port: SIP, address, toPort: flow.localPort });
    }
    await Promise.all(those.map(({ flow }) => flow.pulse({ every: 40, quiet: forMs, limit: forMs })));
    await lab.gateway.tell('udpHush');
  }

  /** The phones from which something arrived while both sides talked, after conntrack had forgotten them. */
  async function whoGetsThrough(those: readonly Phone[]): Promise<string[]> {
    await passes(Date.now() + FORGOTTEN);
    const before = await Promise.all(those.map(({ address }) => seen(address)));
    await talk(those, 700);
    const after = await Promise.all(those.map(({ address }) => seen(address)));
    return those.filter((_, i) => before[i] !== after[i]).map(({ name }) => name);
  }

  beforeAll(async () => {
    lab = await Lab.create();
    daemon = lab.daemon({ config: CONFIG });
    await daemon.start();
    await daemon.confirm();
    await daemon.addUser('alice', { knock: ALICE, services: ['sip'], ttl: '2500ms' });
    await lab.gateway.tell('listenUdp', { port: SIP });
    for (const name of ['nf_conntrack_udp_timeout', 'nf_conntrack_udp_timeout_stream']) {
      const { code, stderr } = await lab.gateway.exec('sysctl', ['-qw', `net.netfilter.${name}=1`]);
      expect(code, stderr).toBe(0);
    }
    for (const { at } of WAYS.slice(1)) {
      await lab.phone.addAddress(`10.77.0.${at}/24`);
      await lab.phone.addAddress(`fd77::${at}/64`);
    }
    for (const address of TRUSTED_PHONES) {
      const isIpv6 = address.includes(':');
      await lab.phone.addAddress(`${address}/${isIpv6 ? 64 : 24}`);
      const flow = await lab.phone.hold('udp', lab.gateway[isIpv6 ? 'ipv6' : 'ipv4'], SIP, { source: address });
      trusted.push({ name: address, address, target: address, flow });
    }
  });

  afterAll(() => lab?.destroy());

  it('hears the answers of a provider that was never let in, and no stranger', async () => {
    for (const family of FAMILIES) {
      const provider = await lab.laptop.hold('udp', lab.gateway[family], SIP);
      expect(await provider.ping(300)).toBe(false);
      expect(await seen(lab.laptop[family])).toBe(0);
      await passes(Date.now() + FORGOTTEN);
      await lab.gateway.tell('udpSend', { port: SIP, address: lab.laptop[family], toPort: provider.localPort });
      expect(await provider.ping()).toBe(true);
      expect(await lab.stranger.udp(lab.gateway[family], SIP, { timeout: 250 })).toBe('silent');
      expect(await seen(lab.stranger[family])).toBe(0);
    }
  });

  it('hears the answers to what the gateway sends from any other port', async () => {
    await lab.stranger.tell('listenUdp', { port: 53 });
    await lab.stranger.tell('listenTcp', { port: 443 });
    for (const family of FAMILIES) {
      expect(await lab.gateway.udp(lab.stranger[family], 53)).toBe('open');
      expect(await lab.gateway.udp(lab.stranger[family], 53, { sourcePort: 10_500 })).toBe('open');
      expect(await lab.gateway.tcp(lab.stranger[family], 443)).toBe('open');
    }
  });

  it('does not bring back a phone that was put out, however it had got in', async () => {
    for (const family of FAMILIES) {
      await lab.phone.knock(lab.gateway[family], steps(ALICE), { source: lab.phone[family] });
    }
    for (const way of WAYS) {
      for (const family of FAMILIES) {
        const address = family === 'ipv4' ? `10.77.0.${way.at}` : `fd77::${way.at}`;
        const target = way.target?.(family) ?? address;
        if (way.at !== 4) await allow({ target, ...(way.for === undefined ? {} : { for: way.for }) });
        const flow = await lab.phone.hold('udp', lab.gateway[family], SIP, { source: address });
        phones.push({ name: `${way.how} (${address})`, address, target, flow });
      }
    }
    await eventually(
      () => daemon.grants(),
      (grants) => grants.length === 10,
    );
    await talk(phones, 400);
    for (const { name, address } of phones) expect(await seen(address), name).toBeGreaterThan(0);

    const talking = talk(phones, 5000);
    for (const { target } of phones.filter(({ name }) => /revoked|removed/.test(name))) {
      expect((await daemon.api('POST', '/v1/revoke', { what: target })).status).toBe(200);
    }
    const grants = await daemon.grants();
    await passes(Math.max(Date.now(), ...grants.map((grant) => Date.parse(grant.expires_at))) + 100);
    expect(await daemon.grants()).toEqual([]);
    const before = await Promise.all(phones.map(({ address }) => seen(address)));
    await passes(Date.now() + 500);
    const after = await Promise.all(phones.map(({ address }) => seen(address)));
    expect(phones.filter((_, i) => before[i] !== after[i]).map(({ name }) => name)).toEqual([]);
    await talking;
  });

  it('does not bring them back after conntrack has forgotten them', async () => {
    expect(await whoGetsThrough(phones)).toEqual([]);
  });

  it('does not bring them back after a restart, nor what the configuration trusts no more', async () => {
    expect(await whoGetsThrough(trusted)).toEqual(TRUSTED_PHONES);
    await daemon.kill();
    await daemon.writeConfig('');
    await daemon.launch();
    expect(await whoGetsThrough([...phones, ...trusted])).toEqual([]);
    // Until then a boot would bring back the rules that were confirmed.
    expect((await daemon.cli('firewall', 'confirm')).code).toBe(0);
    expect(await whoGetsThrough([...phones, ...trusted])).toEqual([]);
  });

  it('does not bring them back after the rules were lost and the daemon started anew', async () => {
    await daemon.kill('SIGKILL');
    await lab.gateway.exec('nft', ['delete', 'table', 'inet', 'sallyport']);
    await daemon.launch();
    expect(await whoGetsThrough([...phones, ...trusted])).toEqual([]);
  });

  it('does not bring them back after the boot step, which needs no daemon', async () => {
    await daemon.kill('SIGKILL');
    await lab.gateway.exec('nft', ['delete', 'table', 'inet', 'sallyport']);
    expect((await daemon.cli('firewall', 'restore')).code).toBe(0);
    expect(await whoGetsThrough([...phones, ...trusted])).toEqual([]);
    await daemon.launch();
  });

  it('lets them in again by another grant', async () => {
    for (const { target } of phones) await allow({ target, for: '1m' });
    expect((await whoGetsThrough(phones)).sort()).toEqual(phones.map(({ name }) => name).sort());
  });
});

async function passes(moment: number): Promise<void> {
  await eventually(Date.now, (now) => now > moment, 10_000);
}

function networkOf(last: string): (family: Family) => string {
  return (family) => (family === 'ipv4' ? `10.77.0.${last}/30` : `fd77::${last}/126`);
}
