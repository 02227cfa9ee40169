import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { localHost } from '#dist/host/host.js';
import { wireguardPorts, wireguardPortsNow } from '#dist/host/wireguard.js';

describe('the ports of trusted WireGuard interfaces', () => {
  let etcRoot: string;
  let shown: string | undefined;
  const ports = (...names: string[]) => wireguardPorts(names, localHost({ etcRoot, run: async () => shown }));
  const file = async (path: string, text: string) => {
    await mkdir(dirname(join(etcRoot, path)), { recursive: true });
    await writeFile(join(etcRoot, path), text);
  };

  beforeEach(async () => {
    etcRoot = await mkdtemp(join(tmpdir(), 'sallyport-wg-'));
    shown = undefined;
  });
  afterEach(() => rm(etcRoot, { recursive: true, force: true }));

  it('are none where there is no WireGuard', async () => {
    expect(await ports('wg0')).toEqual([]);
    expect(await ports()).toEqual([]);
  });

  it('are not known anew where wg does not answer', async () => {
    await file('wireguard/wg0.conf', '[Interface]\nListenPort = 51820\n');
    const now = () => wireguardPortsNow(['wg0'], localHost({ etcRoot, run: async () => shown }));
    expect(await now()).toBeUndefined();
    shown = '';
    expect(await now()).toEqual([51_820]);
  });

  it('are told by wg for what is up, whatever its files say', async () => {
    await file('wireguard/wg0.conf', '[Interface]\nListenPort = 51820\n');
    shown = 'wg0\t40001\nwg1\t40002\nother\t40003\n';
    expect(await ports('wg0')).toEqual([40_001]);
    expect(await ports('wg*')).toEqual([40_001, 40_002]);
  });

  it('are read from the files of wg-quick and networkd for what is not up yet', async () => {
    await file(
      'wireguard/wg0.conf',
      '# ListenPort = 1\n[Peer]\nListenPort = 2\n[interface]\nPrivateKey = x=\nlistenport=51821 # for us\n',
    );
    await file('wireguard/client.conf', '[Interface]\nPrivateKey = x=\n');
    await file(
      'systemd/network/50-vpn.netdev',
      '[NetDev]\nName=vpn0\nKind=wireguard\n\n[WireGuard]\nListenPort=51900\n',
    );
    await file('systemd/network/50-br.netdev', '[NetDev]\nName=br0\nKind=bridge\n');
    expect(await ports('wg0')).toEqual([51_821]);
    expect(await ports('vpn0', 'wg0', 'client', 'br0')).toEqual([51_821, 51_900]);
    expect(await ports('*')).toEqual([51_821, 51_900]);
  });

  it('are none where what is written is no port', async () => {
    for (const text of ['0', '65536', 'auto', '', '51820; accept']) {
      await file('wireguard/wg0.conf', `[Interface]\nListenPort = ${text.replace(';', ' ')}\n`);
      expect(await ports('wg0')).toEqual([]);
    }
  });
});
