import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseHostName } from '../../src/core/names/host-name.ts';
import type { FamilyAnswer } from '../../src/core/names/lookup.ts';
import { millis, seconds } from '../../src/core/time.ts';
import { DnsResolver } from '../../src/dns/dns-resolver.ts';
import { DnsServer, type Says } from '../support/dns/server.mjs';

const HOME = parseHostName('home.example.org');
const EMPTY = { kind: 'empty' };
const NXDOMAIN = { kind: 'nxdomain' };
const failed = (why: string) => ({ kind: 'failed', why });
const many = (n: number) => Array.from({ length: n }, (_, i) => `10.1.${i >> 8}.${i & 255}`);

let server: DnsServer;
let servers: string[];

const lookUp = (says: Says, deadline = seconds(5)) => {
  server.set(HOME, says);
  return new DnsResolver({ servers, deadline }).lookUp(HOME);
};
const addresses = (answer: FamilyAnswer) => (answer.kind === 'addresses' ? answer.addresses : answer);

beforeAll(async () => {
  server = new DnsServer();
  servers = [`127.0.0.1:${await server.listen()}`];
});
afterAll(() => server.close());

describe('a look-up', () => {
  it('gives all addresses of both families and the shortest TTL', async () => {
    const found = await lookUp({ A: ['203.0.113.7', '203.0.113.8'], AAAA: ['2001:db8::7'], ttl: 90 });
    expect(found).toEqual({
      4: { kind: 'addresses', addresses: ['203.0.113.7', '203.0.113.8'], ttl: seconds(90) },
      6: { kind: 'addresses', addresses: ['2001:db8::7'], ttl: seconds(90) },
    });
  });

  it('tells a family without addresses from a name that does not exist', async () => {
    expect(await lookUp({ A: ['203.0.113.7'] })).toMatchObject({ 4: { kind: 'addresses' }, 6: EMPTY });
    expect(await lookUp({})).toEqual({ 4: EMPTY, 6: EMPTY });
    expect(await lookUp({ rcode: 'nxdomain' })).toEqual({ 4: NXDOMAIN, 6: NXDOMAIN });
  });

  it('tells how each family failed by itself', async () => {
    expect(await lookUp({ A: ['203.0.113.7'], AAAA: { rcode: 'servfail' } })).toMatchObject({
      4: { kind: 'addresses' },
      6: failed('servfail'),
    });
    expect(await lookUp({ rcode: 'refused' })).toEqual({ 4: failed('refused'), 6: failed('refused') });
  });

  it('takes the addresses of what an alias stands for, and none from a circle of aliases', async () => {
    const alias = await lookUp({ does: 'alias', to: 'there.example', A: ['203.0.113.7'] });
    expect(addresses(alias[4])).toEqual(['203.0.113.7']);
    expect(await lookUp({ does: 'loop' })).toEqual({ 4: EMPTY, 6: EMPTY });
  });

  it('asks over TCP for what UDP has no room for, a thousand addresses as well', async () => {
    expect(addresses((await lookUp({ does: 'truncate', A: many(1000) }))[4])).toEqual(many(1000));
  });

  it('takes a TTL with the highest bit for none', async () => {
    const found = await lookUp({ A: ['203.0.113.7'], ttl: 0x8000_0001 });
    expect(found[4]).toEqual({ kind: 'addresses', addresses: ['203.0.113.7'], ttl: 0 });
  });

  it('takes nothing that is addressed to somebody else, makes no sense or is IPv4 in IPv6 clothes', async () => {
    const soon = millis(300);
    for (const does of ['strangeId', 'garbage', 'truncateOnly', 'nothing'] as const) {
      const found = await lookUp({ does, A: ['203.0.113.7'] }, soon);
      expect([does, found[4].kind, found[6].kind]).toEqual([does, 'failed', 'failed']);
    }
    expect((await lookUp({ AAAA: ['::ffff:cb00:7107'] }))[6]).toEqual(failed('bad'));
  });

  it('ends within its time, whoever does not answer', async () => {
    expect(await lookUp({ does: 'nothing' }, millis(100))).toEqual({ 4: failed('timeout'), 6: failed('timeout') });
  });

  it('is broken off where the daemon stops', async () => {
    server.set(HOME, { does: 'nothing' });
    const resolver = new DnsResolver({ servers, deadline: seconds(60) });
    const found = resolver.lookUp(HOME);
    resolver.stop();
    expect(await found).toEqual({ 4: failed('timeout'), 6: failed('timeout') });
  });

  it('says that nobody can be reached where nobody listens', async () => {
    const nobody = new DnsServer();
    const port = await nobody.listen();
    await nobody.close();
    const found = await new DnsResolver({ servers: [`127.0.0.1:${port}`] }).lookUp(HOME);
    expect(found).toEqual({ 4: failed('refused'), 6: failed('refused') });
  });

  it('goes on to the next server where the first fails', async () => {
    const first = new DnsServer();
    const port = await first.listen();
    first.set(HOME, { rcode: 'servfail' });
    server.set(HOME, { A: ['203.0.113.7'] });
    const found = await new DnsResolver({ servers: [`127.0.0.1:${port}`, ...servers] }).lookUp(HOME);
    expect(addresses(found[4])).toEqual(['203.0.113.7']);
    await first.close();
  });
});
