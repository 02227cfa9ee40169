import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import { Lab } from '../support/lab/lab.js';

/** A stand-in for Tailscale's program, which needs its service and an account: it says what a test wants it to. */
describe('a trusted interface of Tailscale (with a stand-in for its program)', () => {
  let lab: Lab;
  let daemon: LabDaemon;
  let folder: string;

  const says = async (script: string) => {
    const file = join(folder, 'tailscale');
    await writeFile(file, `#!/bin/sh\n${script}\n`);
    await chmod(file, 0o755);
  };
  const interfaces = async () =>
    (await daemon.api<{ parts: { interfaces: { interfaces: object[] } } }>('GET', '/v1/status')).body.parts.interfaces
      .interfaces;

  beforeAll(async () => {
    lab = await Lab.create();
    folder = join(lab.directory, 'bin');
    await mkdir(folder);
    for (const line of ['tuntap add tailscale0 mode tun', 'address add 100.101.102.103/32 dev tailscale0'])
      expect((await lab.gateway.exec('ip', line.split(' '))).stderr).toBe('');
    await lab.gateway.exec('ip', ['link', 'set', 'tailscale0', 'up']);
    daemon = lab.daemon({
      config: 'trusted: {interfaces: [tailscale0]}',
      env: { PATH: `${folder}:${process.env.PATH}` },
    });
    await daemon.start();
  });
  afterAll(() => lab?.destroy());

  it('is shown with its peers', async () => {
    const peer = (at: string, online: boolean) => ({ Online: online, LastHandshake: at });
    const status = {
      BackendState: 'Running',
      Self: { TailscaleIPs: ['100.101.102.103'] },
      Peer: { 'nodekey:a': peer('2026-01-02T03:04:05Z', true), 'nodekey:b': peer('0001-01-01T00:00:00Z', false) },
    };
    await says(`[ "$*" = "status --json" ] && echo '${JSON.stringify(status)}'`);
    const handshake = '2026-01-02T03:04:05.000Z';
    expect(await interfaces()).toMatchObject([
      { name: 'tailscale0', kind: 'tailscale', peers: 2, online: 1, latest_handshake: handshake },
    ]);
    expect((await daemon.cli('status')).stdout).toMatch(
      /tailscale0 \S* ?\S* ?\(tailscale, 2 peers, 1 online, heard of/,
    );
  });

  it.each([
    ['has nothing to say', 'exit 1'],
    ['says what nobody understands', 'echo "Tailscale is stopped."'],
    ['never ends', 'exec sleep 600'],
  ])('is an interface like any other where the program %s', async (_, script) => {
    await says(script);
    expect(await interfaces()).toMatchObject([{ name: 'tailscale0', kind: 'tun', peers: null, online: null }]);
  });
});
