import { afterEach, beforeEach, expect, test } from 'vitest';
import { takesTcpReplies } from '../../src/core/port-classes.ts';
import { parsePortRange, parsePortSpan, toPort } from '../../src/core/ports.ts';
import { localHost } from '../../src/host/host.ts';
import { inboundPeers } from '../../src/host/listeners.ts';
import { service } from '../support/core-arbitraries.ts';
import { Machine } from '../support/host-machine.ts';

const SELF = 500;
let machine: Machine;

beforeEach(() => {
  machine = new Machine().process(SELF, { name: 'sallyport' });
  machine.tcp([
    { inode: 1, local: '[::]:40022', state: 'listening' },
    { inode: 2, local: '0.0.0.0:22', state: 'listening' },
    { inode: 3, local: '[::ffff:192.0.2.1]:40022', remote: '[::ffff:203.0.113.7]:5000', state: 'established' },
    { inode: 4, local: '[2001:db8::1]:40022', remote: '[2001:db8::7]:5000', state: 'established' },
    { inode: 5, local: '[2001:db8::1]:40022', remote: '[2001:db8::7]:5001', state: 'established' },
    { inode: 6, local: '[::1]:40022', remote: '[::1]:5001', state: 'established' },
    { inode: 7, local: '192.0.2.1:22', remote: '203.0.113.8:5000', state: 'established' },
    { inode: 8, local: '192.0.2.1:40443', remote: '203.0.113.9:443', state: 'established' },
    { inode: 9, local: '[::ffff:192.0.2.1]:40022', remote: '[::ffff:203.0.113.10]:5000', state: 'closing' },
  ]);
});

afterEach(() => machine.remove());

test('those who are connected to a wanted port are told once, and no far end of a connection of our own', async () => {
  const peers = await inboundPeers((port) => port >= 32768, machine.host(SELF));
  expect([...peers].sort()).toEqual(['2001:db8::7', '203.0.113.7']);
});

test('where nothing wanted listens, or nothing can be read, there are none', async () => {
  expect((await inboundPeers((port) => port === 80, machine.host(SELF))).size).toBe(0);
  expect((await inboundPeers(() => true, localHost({ procRoot: '/nonexistent' }))).size).toBe(0);
});

test('replies to our own TCP connections come to guarded ports in the range of local ports alone', () => {
  const guarded = new Map([
    [service('ssh'), [parsePortRange('tcp/22'), parsePortRange('tcp/40000-40010')]],
    [service('sip'), [parsePortRange('udp/50000')]],
  ]);
  const takes = (port: number) => takesTcpReplies({ guarded, localPorts: parsePortSpan('40005-60999') }, toPort(port));
  expect([22, 40004, 40005, 40010, 40011, 50000].filter(takes)).toEqual([40005, 40010]);
});
