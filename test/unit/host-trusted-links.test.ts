import { describe, expect, it } from 'vitest';
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
const IP = { 'ip -j -d address show': JSON.stringify(LINKS) };
const WG = {
  'wg show interfaces': 'wg0 wg1\n',
  'wg show all latest-handshakes': 'wg0\taaa=\t0\nwg0\tbbb=\t1700000000\nwg0\tccc=\t1600000000\n',
};

it('trusted interfaces are shown with what they are, patterns with all that they name', async () => {
  expect(await trustedLinks(['wg*', 'eth0', 'br0', 'tailscale0'], host({ ...IP, ...WG }))).toEqual([
    {
      name: 'wg0',
      state: 'up',
      kind: 'wireguard',
      peers: { count: 3, online: null, latestHandshake: 1_700_000_000_000 },
    },
    { name: 'wg1', state: 'down', kind: 'wireguard', peers: { count: 0, online: null, latestHandshake: null } },
    { name: 'eth0', state: 'up', kind: 'ether', peers: null },
    { name: 'br0', state: 'down', kind: 'bridge', peers: null },
    { name: 'tailscale0', state: 'missing', kind: null, peers: null },
  ]);
});

it('trusted interfaces are shown without wg, and left out without ip', async () => {
  expect(await trustedLinks(['wg0', 'wg*'], host(IP))).toEqual([
    { name: 'wg0', state: 'up', kind: 'wireguard', peers: null },
    { name: 'wg1', state: 'down', kind: 'tun', peers: null },
  ]);
  expect(await trustedLinks(['wg0'], host(WG))).toBeUndefined();
  expect(await trustedLinks(['wg0'], host({ 'ip -j -d address show': '<html>' }))).toBeUndefined();
});

describe('Tailscale', () => {
  /** Of the fields of a real answer those that are read, and some that are not. */
  const STATUS = {
    Version: '1.76.1',
    TUN: true,
    BackendState: 'Running',
    Self: { HostName: 'gateway', TailscaleIPs: ['100.101.102.103', 'fd7a:115c:a1e0::1'], Online: true },
    Peer: {
      'nodekey:aa': { HostName: 'laptop', Online: true, LastHandshake: '2023-11-14T22:13:20Z' },
      'nodekey:bb': { HostName: 'phone', Online: false, LastHandshake: '0001-01-01T00:00:00Z' },
    },
  };
  const LINK = { ifname: 'tailscale0', flags: ['UP', 'LOWER_UP'], link_type: 'none', linkinfo: { info_kind: 'tun' } };
  const looked = (status: unknown, local = '100.101.102.103') => {
    const text = typeof status === 'string' ? status : JSON.stringify(status);
    const links = { 'ip -j -d address show': JSON.stringify([{ ...LINK, addr_info: [{ local }] }]) };
    return trustedLinks(
      ['tailscale0'],
      host({ ...links, ...(text !== undefined && { 'tailscale status --json': text }) }),
    );
  };
  const plainTun = [{ name: 'tailscale0', state: 'up', kind: 'tun', peers: null }];

  it('is shown with its peers, at the interface that has its address', async () => {
    const peers = { count: 2, online: 1, latestHandshake: 1_700_000_000_000 };
    expect(await looked(STATUS)).toEqual([{ name: 'tailscale0', state: 'up', kind: 'tailscale', peers }]);
    const alone = { ...STATUS, Peer: null };
    expect(await looked(alone)).toMatchObject([{ peers: { count: 0, online: 0, latestHandshake: null } }]);
  });

  it.each([
    ['it is not there', undefined],
    ['it is not connected', { ...STATUS, BackendState: 'NeedsLogin' }],
    ['it answers no JSON', '<html>'],
    ['it answers a list', []],
    ['it has no address', { ...STATUS, Self: {} }],
    ['its address is none', { ...STATUS, Self: { TailscaleIPs: ['100.64.0.999'] } }],
    ['a peer is none', { ...STATUS, Peer: { a: 7 } }],
    ['a time is none', { ...STATUS, Peer: { a: { Online: true, LastHandshake: 'yesterday' } } }],
  ])('is an interface like any other where %s', async (_, status) => {
    expect(await looked(status)).toEqual(plainTun);
  });

  it('is not found in an interface that has another address', async () => {
    expect(await looked(STATUS, '10.8.0.1')).toEqual(plainTun);
  });
});
