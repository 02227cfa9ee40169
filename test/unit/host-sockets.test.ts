import { describe, expect, test } from 'vitest';
import { readAddress } from '../../src/host/inet.ts';
import { parseSocketTable } from '../../src/host/sockets.ts';

// As Linux 6.18 on x86_64 printed them.
const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     
   0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1223 1 00000000f38ac26b 100 0 0 10 0                      
   1: 0100007F:AC70 0100007F:115C 01 00000000:00000000 00:00000000 00000000     0        0 51431 2 000000009a61c1c9 20 0 0 10 -1                     
   2: 020200C0:9382 507100CB:0050 06 00000000:00000000 03:000009A4 00000000     0        0 0 3 00000000843df5cf                                      
`;
const TCP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:115C 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 51430 1 0000000057205df5 100 0 0 10 0
   1: 0000000000000000FFFF00000100007F:115C 0000000000000000FFFF00000100007F:AC70 01 00000000:00000000 00:00000000 00000000     0        0 51432 1 0000000059a4a38a 20 0 0 10 -1
   2: 071300FD000000000000000001000000:08AE 071300FD000000000000000002000000:89E4 01 00000000:00000000 00:00000000 00000000     0        0 60001 1 0000000059a4a38b 20 0 0 10 -1
`;
const UDP = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            
 4176: 00000000:13C4 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 51433 2 0000000087fc2091 0         
`;

describe('the tables of /proc/net', () => {
  test('a listening socket has a port and nobody at the other end', () => {
    expect(parseSocketTable(TCP, 'tcp', 'listening', 'LE')).toEqual([
      {
        protocol: 'tcp',
        local: { address: '0.0.0.0', port: 2024 },
        remote: { address: '0.0.0.0', port: 0 },
        inode: '1223',
      },
    ]);
  });

  test('only sockets of the wanted state are given', () => {
    expect(parseSocketTable(TCP, 'tcp', 'established', 'LE').map(({ inode }) => inode)).toEqual(['51431']);
    expect(parseSocketTable(UDP, 'udp', 'unconnected', 'LE').map(({ local }) => local.port)).toEqual([5060]);
    expect(parseSocketTable(UDP, 'udp', 'established', 'LE')).toEqual([]);
  });

  test('an IPv4 peer of an IPv6 socket is the IPv4 address', () => {
    const [mapped, plain] = parseSocketTable(TCP6, 'tcp', 'established', 'LE');
    expect(mapped?.remote).toEqual({ address: '127.0.0.1', port: 44144 });
    expect(plain?.remote).toEqual({ address: 'fd00:1307::2', port: 35300 });
  });

  test('a big-endian machine prints the words in network order', () => {
    const line = '   0: C0000202:0016 CB007107:C350 01 0:0 0:0 0     0        0 77 1';
    expect(parseSocketTable(line, 'tcp', 'established', 'BE')[0]?.remote).toEqual({
      address: '203.0.113.7',
      port: 50000,
    });
  });

  test('damaged lines are passed over', () => {
    const damaged = [' 0: XYZ:0016 CB007107:C350 01 0:0 0:0 0 0 0 77 1', ' 1: 0100007F:0016', '', '   '].join('\n');
    expect(parseSocketTable(damaged, 'tcp', 'established', 'LE')).toEqual([]);
  });
});

describe('addresses as other programs write them', () => {
  test.each([
    ['203.0.113.7', '203.0.113.7'],
    ['2001:DB8:0::7', '2001:db8::7'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::ffff:cb00:7107', '203.0.113.7'],
    ['home.example.org', undefined],
    ['UNKNOWN', undefined],
    ['', undefined],
    ['203.0.113.7/24', undefined],
  ])('%s is read as %s', (text, address) => {
    expect(readAddress(text)).toBe(address);
  });
});
