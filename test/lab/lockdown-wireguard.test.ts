import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import type { LabHost } from '../support/lab/host.js';
import { eventually, Lab } from '../support/lab/lab.js';
import { peerProgram } from '../support/peers.js';

/*
 * An administrator who comes from anywhere by WireGuard, to a machine under lockdown that trusts the tunnel:
 *
 *   laptop 10.99.0.2 ════ udp/51820 ════ 10.99.0.1 gateway
 *   laptop 10.77.0.2 ─────────────────── 10.77.0.1
 */
const PORT = 51_820;

interface Shown {
  readonly latest_handshake: string | null;
}

describe('a trusted WireGuard interface under lockdown', () => {
  let lab: Lab;
  let daemon: LabDaemon;
  /** The kernel's WireGuard, or the one in user space, whose socket lies in a folder that all namespaces share. */
  const id = randomBytes(3).toString('hex');
  let gatewayKey: string;
  const endpoint = () => ['endpoint', `${lab.gateway.ipv4}:${PORT}`];
  const links: [host: LabHost, name: string][] = [];

  const wg = async (host: LabHost, args: string[], input?: string) => {
    const program = peerProgram('usr/bin/wg');
    if (program.path === undefined) throw new Error(program.reason);
    const { code, stdout, stderr } = await host.exec(program.path, args, input === undefined ? {} : { input });
    expect(code, stderr).toBe(0);
    return stdout.trim();
  };

  async function makeLink(host: LabHost, name: string, address: string): Promise<void> {
    if ((await host.exec('ip', ['link', 'add', name, 'type', 'wireguard'])).code !== 0) {
      const program = peerProgram('usr/bin/wireguard-go');
      if (program.path === undefined) throw new Error(program.reason);
      const { code, stderr } = await host.exec(program.path, [name]);
      expect(code, stderr).toBe(0);
    }
    links.push([host, name]);
    await host.exec('ip', ['address', 'add', address, 'dev', name]);
    await host.exec('ip', ['link', 'set', name, 'up']);
  }

  beforeAll(async () => {
    lab = await Lab.create();
    const { gateway, laptop } = lab;
    await makeLink(gateway, `wgg${id}`, '10.99.0.1/24');
    await makeLink(laptop, `wgl${id}`, '10.99.0.2/24');
    const keys: { file: string; public: string }[] = [];
    for (const [host, name] of links) {
      const key = await wg(host, ['genkey']);
      const file = join(lab.directory, name);
      await writeFile(file, `${key}\n`, { mode: 0o600 });
      keys.push({ file, public: await wg(host, ['pubkey'], `${key}\n`) });
    }
    const [ours, theirs] = keys;
    gatewayKey = ours?.public ?? '';
    const peer = (key = '', ...more: string[]) => ['peer', key, ...more];
    const inner = ['allowed-ips', '10.99.0.0/24'];
    const own = (key = '', port = 0) => ['private-key', key, ...(port === 0 ? [] : ['listen-port', `${port}`])];
    await wg(gateway, ['set', `wgg${id}`, ...own(ours?.file, PORT), ...peer(theirs?.public, ...inner)]);
    await wg(laptop, ['set', `wgl${id}`, ...own(theirs?.file), ...peer(gatewayKey, ...endpoint(), ...inner)]);
    for (const port of [22, 8080]) await gateway.tell('listenTcp', { port });
    await gateway.exec('ip', ['link', 'add', 'spare', 'type', 'bridge']);
    const folder = dirname(peerProgram('usr/bin/wg').path ?? '');
    daemon = lab.daemon({
      config: 'firewall: {policy: lockdown}\ntrusted: {interfaces: ["wgg*", spare, "lan*"]}',
      env: { PATH: `${folder}:${process.env.PATH}` },
    });
    await daemon.start();
    await daemon.confirm();
  });

  afterAll(async () => {
    // Ends the one in user space, too.
    for (const [host, name] of links) await host.exec('ip', ['link', 'delete', name]);
    await lab?.destroy();
  });

  it('lets its administrator in, from wherever he comes, and no stranger', async () => {
    for (const source of ['', '10.77.0.77']) {
      if (source !== '') {
        await lab.laptop.exec('ip', ['address', 'delete', `${lab.laptop.ipv4}/24`, 'dev', 'eth0']);
        await lab.laptop.addAddress(`${source}/24`);
        // The one in user space holds on to the address that it last spoke from, until its peer is set anew.
        await wg(lab.laptop, ['set', `wgl${id}`, 'peer', gatewayKey, ...endpoint()]);
      }
      await eventually(
        () => lab.laptop.tcp('10.99.0.1', 22, { timeout: 500 }),
        (verdict) => verdict === 'open',
        10_000,
      );
      expect(await lab.laptop.tcp('10.99.0.1', 8080)).toBe('open');
      expect(await lab.laptop.tcp(lab.gateway.ipv4, 22, { timeout: 250 })).toBe('silent');
    }
    for (const port of [PORT, PORT + 1]) {
      expect(await lab.stranger.udp(lab.gateway.ipv4, port, { timeout: 250 })).toBe('silent');
    }
    expect(await lab.stranger.tcp(lab.gateway.ipv4, PORT, { timeout: 250 })).toBe('silent');
  });

  it('is shown with its peers, and others that are missing or down', async () => {
    const { parts } = await daemon.json<{ parts: { interfaces: { state: string; interfaces: Shown[] } } }>('status');
    const [tunnel, card, none, ...more] = parts.interfaces.interfaces;
    expect(tunnel).toMatchObject({ name: `wgg${id}`, state: 'up', kind: 'wireguard', peers: 1 });
    expect(Math.abs(Date.parse(tunnel?.latest_handshake ?? '') - Date.now())).toBeLessThan(60_000);
    expect(card).toEqual({
      name: 'spare',
      state: 'down',
      kind: 'bridge',
      peers: null,
      online: null,
      latest_handshake: null,
    });
    expect(none).toEqual({
      name: 'lan*',
      state: 'missing',
      kind: null,
      peers: null,
      online: null,
      latest_handshake: null,
    });
    expect(more).toEqual([]);
    expect(parts.interfaces.state).toBe('degraded');
    const { stdout } = await daemon.cli('status');
    expect(stdout).toMatch(
      /interfaces +degraded +wgg\w+ \(wireguard, 1 peer, heard of \S+ ago\), spare is down \(bridge\), lan\* is not there/,
    );
  });

  /** The chain of lockdown, in whatever slot the rules stand. */
  async function rules(): Promise<string> {
    const { stdout } = await lab.gateway.exec('nft', ['-t', 'list', 'table', 'inet', 'sallyport']);
    return stdout.split('\tchain ').find((chain) => /^\w*lockdown \{/.test(chain)) ?? '';
  }

  it('opens the port at which it listens, no other, and keeps it open through a restart', async () => {
    expect(await rules()).toContain(`udp . ${PORT} } accept`);
    await daemon.kill();
    await daemon.launch();
    expect(daemon.output).not.toContain('the rules were changed');
    expect(await rules()).toContain(`udp . ${PORT} } accept`);
  });

  it('has its port followed while the gateway runs: changed, gone, and come up later', async () => {
    const opens = (...ports: number[]) =>
      eventually(
        rules,
        (text) => [...text.matchAll(/udp \. (\d+)/g)].map(([, port]) => port).join() === ports.join(),
        20_000,
      );
    const grant = await daemon.api('POST', '/v1/allow', { target: lab.phone.ipv4, for: '1h' });
    expect(grant.status).toBe(200);
    await wg(lab.gateway, ['set', `wgg${id}`, 'listen-port', `${PORT + 1}`]);
    await opens(PORT + 1);
    await wg(lab.laptop, ['set', `wgl${id}`, 'peer', gatewayKey, 'endpoint', `${lab.gateway.ipv4}:${PORT + 1}`]);
    await eventually(
      () => lab.laptop.tcp('10.99.0.1', 22, { timeout: 500 }),
      (verdict) => verdict === 'open',
      10_000,
    );
    expect(await lab.phone.tcp(lab.gateway.ipv4, 22, { timeout: 300 })).toBe('open');
    await makeLink(lab.gateway, `wggx${id}`, '10.98.0.1/24');
    await wg(lab.gateway, ['set', `wggx${id}`, 'listen-port', '40001']);
    await opens(40_001, PORT + 1);
    await lab.gateway.exec('ip', ['link', 'delete', `wggx${id}`]);
    await opens(PORT + 1);
    const told = await eventually(
      () => daemon.eventsNamed('firewall.adjusted'),
      (events) => events.length === 3,
    );
    expect(told.map(({ detail }) => detail?.replace('WireGuard listens elsewhere now: ', ''))).toEqual([
      `everyone to udp/${PORT} is let in no longer; everyone to udp/${PORT + 1} is let in`,
      'everyone to udp/40001 is let in',
      'everyone to udp/40001 is let in no longer',
    ]);
    await daemon.kill();
    await daemon.launch();
    await opens(PORT + 1);
    expect(daemon.output).not.toContain('the rules were changed');
  });
});
