import { expect, it } from 'vitest';
import { localHost } from '#dist/host/host.js';
import { trustedLinks } from '#dist/host/trusted-links.js';

const LINKS = [
  { ifname: 'lo', flags: ['LOOPBACK', 'UP', 'LOWER_UP'], link_type: 'loopback' },
  { ifname: 'eth0', flags: ['BROADCAST', 'UP', 'LOWER_UP'], link_type: 'ether' },
  { ifname: 'wg0', flags: ['UP', 'LOWER_UP'], link_type: 'none', linkinfo: { info_kind: 'wireguard' } },
  { ifname: 'wg1', flags: [], link_type: 'none', linkinfo: { info_kind: 'tun' } },
  { ifname: 'br0', flags: ['UP', 'NO-CARRIER'], link_type: 'ether', linkinfo: { info_kind: 'bridge' } },
];

const host = (said: Record<string, string>) =>
  localHost({ run: async (file, args) => said[[file, ...args].join(' ')] });
const IP = { 'ip -j -d link show': JSON.stringify(LINKS) };
const WG = {
  'wg show interfaces': 'wg0 wg1\n',
  'wg show all latest-handshakes': 'wg0\taaa=\t0\nwg0\tbbb=\t1700000000\nwg0\tccc=\t1600000000\n',
};

it('trusted interfaces are shown with what they are, patterns with all that they name', async () => {
  expect(await trustedLinks(['wg*', 'eth0', 'br0', 'tailscale0'], host({ ...IP, ...WG }))).toEqual([
    { name: 'wg0', state: 'up', kind: 'wireguard', wireguard: { peers: 3, latestHandshake: 1_700_000_000_000 } },
    { name: 'wg1', state: 'down', kind: 'wireguard', wireguard: { peers: 0, latestHandshake: null } },
    { name: 'eth0', state: 'up', kind: 'ether', wireguard: null },
    { name: 'br0', state: 'down', kind: 'bridge', wireguard: null },
    { name: 'tailscale0', state: 'missing', kind: null, wireguard: null },
  ]);
});

it('trusted interfaces are shown without wg, and left out without ip', async () => {
  expect(await trustedLinks(['wg0', 'wg*'], host(IP))).toEqual([
    { name: 'wg0', state: 'up', kind: 'wireguard', wireguard: null },
    { name: 'wg1', state: 'down', kind: 'tun', wireguard: null },
  ]);
  expect(await trustedLinks(['wg0'], host(WG))).toBeUndefined();
  expect(await trustedLinks(['wg0'], host({ 'ip -j -d link show': '<html>' }))).toBeUndefined();
});
