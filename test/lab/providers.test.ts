import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import type { LabHost } from '../support/lab/host.js';
import { eventually, Lab } from '../support/lab/lab.js';

/*
 * A PBX on the gateway; providers that call from the laptop and send RTP from the phone's machine; a stranger. The phone's
 * machine serves names, too, and the gateway asks it every second.
 */

const FAMILIES = ['ipv4', 'ipv6'] as const;
const UDP = { sip: 5060, iax: 4569, rtp: 12_000 } as const;
const TCP = { sips: 5061, ssh: 22, web: 80 } as const;

let lab: Lab;
let daemon: LabDaemon;

interface Shown {
  readonly status: string;
  readonly by: string | null;
  readonly problems: string[];
  readonly ports: { readonly service: string; readonly ports: string[] }[];
  readonly hosts: { readonly host: string; readonly tracked: { readonly addresses: string[] } | null }[];
}

/** What a machine reaches over both families alike; what only one of them reaches fails the test. */
async function reached(host: LabHost): Promise<string[]> {
  const perFamily = await Promise.all(
    FAMILIES.map(async (family) => {
      const to = lab.gateway[family];
      const udp = Object.entries(UDP).map(async ([name, port]) => [name, await host.udp(to, port, { timeout: 250 })]);
      const tcp = Object.entries(TCP).map(async ([name, port]) => [name, await host.tcp(to, port, { timeout: 250 })]);
      return (await Promise.all([...udp, ...tcp])).flatMap(([name, state]) => (state === 'open' ? [name ?? ''] : []));
    }),
  );
  expect(perFamily[0]).toEqual(perFamily[1]);
  return perFamily[0] ?? [];
}

const shown = async (name: string) => (await daemon.api<Shown>('GET', `/v1/providers/${name}`)).body;
const start = async () => {
  await daemon.launch();
  await daemon.confirm();
};

beforeAll(async () => {
  lab = await Lab.create();
  const catalogue = join(lab.directory, 'providers.yaml');
  daemon = lab.daemon({
    config: `services:
  ssh: [tcp/22]
  sip: [udp/5060, tcp/5061, udp/10000-20000]
  iax: [udp/4569]
  web: [tcp/80]
providers: {catalogue: ${catalogue}}
names: {schedule: '* * * * * *', servers: [${lab.phone.ipv4}], nxdomain_after: 2s}
`,
  });
  await mkdir(daemon.directory, { recursive: true });
  await writeFile(
    catalogue,
    `version: 1
providers:
  acme:
    title: Acme
    signalling: [${lab.laptop.ipv4}, "${lab.laptop.ipv6}"]
    media: [${lab.phone.ipv4}/32, "${lab.phone.ipv6}"]
  byname: {title: By name, signalling: [sip.byname.example], media: [rtp.byname.example]}
  gone: {title: Gone, signalling: [sip.gone.example, other.gone.example]}
`,
  );
  for (const port of Object.values(UDP)) await lab.gateway.tell('listenUdp', { port });
  for (const port of Object.values(TCP)) await lab.gateway.tell('listenTcp', { port });
  await lab.phone.tell('dnsListen', { address: lab.phone.ipv4 });
  const names = { 'sip.byname.example': lab.laptop, 'rtp.byname.example': lab.phone };
  for (const [name, { ipv4, ipv6 }] of Object.entries(names)) {
    await lab.phone.tell('dnsSet', { name, says: { A: [ipv4], AAAA: [ipv6], ttl: 60 } });
  }
  for (const name of ['sip.gone.example', 'other.gone.example']) {
    await lab.phone.tell('dnsSet', { name, says: { rcode: 'nxdomain' } });
  }
  await daemon.writeConfig();
  await start();
});

afterAll(() => lab?.destroy());

describe('a provider', () => {
  it('that is not enabled is a stranger', async () => {
    for (const host of [lab.laptop, lab.phone, lab.stranger]) expect(await reached(host)).toEqual([]);
  });

  it('reaches SIP, IAX and RTP once it is enabled, and neither ssh nor the web; its media reach RTP alone', async () => {
    const shown = await daemon.json<Shown>('provider', 'enable', 'acme');
    expect(shown).toMatchObject({ status: 'enabled', by: 'command', problems: [] });
    expect(shown.ports).toEqual([
      { service: 'SIP', ports: ['udp/5060', 'tcp/5061'] },
      { service: 'IAX', ports: ['udp/4569'] },
      { service: 'RTP', ports: ['udp/10000-20000'] },
    ]);
    expect(await reached(lab.laptop)).toEqual(['sip', 'iax', 'rtp', 'sips']);
    expect(await reached(lab.phone)).toEqual(['rtp']);
    expect(await reached(lab.stranger)).toEqual([]);
  });

  it('is told of in words of telephony', async () => {
    const { code, stdout } = await daemon.cli('whois', lab.laptop.ipv4);
    expect([code, stdout]).toEqual([0, expect.stringContaining(`${lab.laptop.ipv4} is let in to SIP, IAX, RTP.`)]);
    expect(stdout).toMatch(/provider .*acme/);
    const list = (await daemon.cli('provider', 'list')).stdout;
    expect(list).toMatch(/^acme +Acme +enabled by command +0 +4$/m);
    expect(list).toMatch(/^voip\.ms +VoIP\.ms +off +13 +0$/m);
    expect(list).toMatch(/^ipkall +IPkall +retired +0 +2$/m);
  });

  it('gives no user its ports: they are no services', async () => {
    const { code, stderr } = await daemon.cli('allow', lab.stranger.ipv4, '--services', 'SIP');
    expect([code, stderr]).toEqual([2, expect.stringContaining('SP_SERVICE_UNKNOWN')]);
  });

  it('stays in over a restart, and over a boot without the daemon', async () => {
    await daemon.kill();
    await lab.gateway.exec('nft', ['flush', 'ruleset']);
    expect((await daemon.cli('firewall', 'restore')).code).toBe(0);
    expect(await reached(lab.laptop)).toEqual(['sip', 'iax', 'rtp', 'sips']);
    expect(await reached(lab.stranger)).toEqual([]);
    await start();
    expect(await reached(lab.phone)).toEqual(['rtp']);
  });

  it('is out at once when it is disabled: what it holds open is cut', async () => {
    const calls = await Promise.all(FAMILIES.map((family) => lab.laptop.hold('udp', lab.gateway[family], UDP.sip)));
    for (const call of calls) expect(await call.ping()).toBe(true);
    expect((await daemon.cli('provider', 'disable', 'acme')).stdout).toBe('acme is not let in any more\n');
    for (const call of calls) expect(await call.ping(300)).toBe(false);
    for (const host of [lab.laptop, lab.phone]) expect(await reached(host)).toEqual([]);
  });
});

describe('a provider with host names', () => {
  it('is in as soon as they resolve, each to what is its', async () => {
    await daemon.json('provider', 'enable', 'byname');
    const { hosts } = await eventually(
      () => shown('byname'),
      (one) => one.hosts.every(({ tracked }) => tracked?.addresses.length === 2),
    );
    expect(await reached(lab.laptop)).toEqual(['sip', 'iax', 'rtp', 'sips']);
    expect(await reached(lab.phone)).toEqual(['rtp']);
    expect(await reached(lab.stranger)).toEqual([]);
    expect(hosts).toMatchObject([
      { host: 'sip.byname.example', tracked: { state: 'ok', addresses: [lab.laptop.ipv4, lab.laptop.ipv6] } },
      { host: 'rtp.byname.example', services: ['RTP'], tracked: { state: 'ok' } },
    ]);
  });

  it('is in again after a boot without the daemon and without DNS', async () => {
    await daemon.kill();
    await lab.phone.tell('dnsDie', { isDead: true });
    await lab.gateway.exec('nft', ['flush', 'ruleset']);
    expect((await daemon.cli('firewall', 'restore')).code).toBe(0);
    expect(await reached(lab.laptop)).toEqual(['sip', 'iax', 'rtp', 'sips']);
    expect(await reached(lab.phone)).toEqual(['rtp']);
    expect(await reached(lab.stranger)).toEqual([]);
    await start();
    expect(await reached(lab.laptop)).toEqual(['sip', 'iax', 'rtp', 'sips']);
    await lab.phone.tell('dnsDie', { isDead: false });
  });

  it('keeps its names from being revoked one by one, and is out at once when it is disabled', async () => {
    const { code, stderr } = await daemon.cli('revoke', 'sip.byname.example');
    expect([code, stderr]).toEqual([1, expect.stringContaining('sallyport provider disable byname')]);
    await daemon.json('provider', 'disable', 'byname');
    for (const host of [lab.laptop, lab.phone]) expect(await reached(host)).toEqual([]);
  });

  it('that all are gone is called so, with the advice to drop it', async () => {
    await daemon.json('provider', 'enable', 'gone');
    const advice = /gone seems to be gone: none of its names exists any more; drop it: sallyport provider disable gone/;
    await eventually(
      () => shown('gone'),
      ({ problems }) => problems.some((one) => advice.test(one)),
    );
    expect((await daemon.cli('provider', 'list')).stdout).toMatch(advice);
    expect((await daemon.cli('status')).stdout).toMatch(advice);
    expect((await daemon.cli('provider', 'show', 'gone')).stdout).toMatch(/^sip\.gone\.example .*NXDOMAIN/m);
    await daemon.json('provider', 'disable', 'gone');
    expect((await daemon.cli('status')).stdout).not.toMatch(advice);
  });
});

describe('a retired provider', () => {
  it('is refused, and told of while an entry lets it in', async () => {
    const { code, stderr } = await daemon.cli('provider', 'enable', 'ipkall');
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^SP_PROVIDER_RETIRED: ipkall is retired since 2016-05/)]);
    await daemon.json('allow', '66.54.140.46');
    const { notices } = await daemon.json<{ notices: string[] }>('status');
    expect(notices).toEqual([expect.stringMatching(/^66\.54\.140\.46 still lets in ipkall, .*: sallyport revoke 66/)]);
    await daemon.json('revoke', '66.54.140.46');
    expect((await daemon.json<{ notices: string[] }>('status')).notices).toEqual([]);
  });
});

describe('under lockdown', () => {
  it('a provider of the configuration reaches its ports, though no service has them, and no command puts it out', async () => {
    await daemon.kill();
    const catalogue = join(lab.directory, 'providers.yaml');
    await daemon.writeConfig(`services: {ssh: [tcp/22]}
firewall: {policy: lockdown}
trusted: {providers: [acme]}
providers: {catalogue: ${catalogue}}
`);
    await start();
    expect(await reached(lab.laptop)).toEqual(['sip', 'iax', 'rtp', 'sips']);
    expect(await reached(lab.phone)).toEqual(['rtp']);
    expect(await reached(lab.stranger)).toEqual([]);
    const { code, stderr } = await daemon.cli('provider', 'disable', 'acme');
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^SP_PROVIDER_CONFIGURED: /)]);
  });
});

describe('a catalogue that is faulty', () => {
  it('keeps the daemon from starting, and each fault is named with its line', async () => {
    await daemon.kill();
    const catalogue = join(lab.directory, 'providers.yaml');
    await writeFile(catalogue, 'version: 1\nproviders:\n  acme: {title: Acme, signaling: [sip.acme.example]}\n');
    const { code, stderr } = await daemon.cli('check');
    expect([code, stderr.trim().split('\n')]).toEqual([
      1,
      [
        `${catalogue}:3 providers.acme.signalling: it is missing`,
        `${catalogue}:3 providers.acme.signaling: unknown key "signaling"; did you mean signalling?`,
      ],
    ]);
    expect((await daemon.refusesToStart()).stderr).toContain(`SP_CONFIG_INVALID: ${catalogue}:3`);
  });
});
