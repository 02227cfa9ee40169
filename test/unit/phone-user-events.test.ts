/** What a dialplan may ask for by UserEvent: one header an event, two events of one channel, and nothing else. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Authorization, AuthorizationFault } from '../../src/core/phone/link.ts';
import { AmiSession } from '../../src/phone/ami-session.ts';
import { UserEvents } from '../../src/phone/user-events.ts';

type Headers = Readonly<Record<string, unknown>>;

/** An event of the dialplan as the library hands it on. */
const event = (headers: Headers, channel = '1795388506.1'): Headers => ({
  event: 'UserEvent',
  privilege: 'user,all',
  channel: 'PJSIP/1001-00000000',
  channelstate: '6',
  channelstatedesc: 'Up',
  calleridnum: '1001',
  calleridname: 'x,Account: 9999',
  connectedlinenum: '<unknown>',
  connectedlinename: '<unknown>',
  language: 'en',
  accountcode: '',
  context: 'phone',
  exten: '870',
  priority: '3',
  uniqueid: channel,
  linkedid: channel,
  userevent: 'SallyportAuthorize',
  ...headers,
});
const ACCOUNT = event({ account: '1001' });
const ADDRESS = event({ address: '192.0.2.7' });
const DONE = { account: '1001', address: '192.0.2.7' };

function taken() {
  let now = 0;
  const events = new UserEvents(() => now);
  const take = (...all: readonly unknown[]) => all.map((one) => events.take(one)).filter((one) => one !== undefined);
  const pass = (ms: number) => {
    now += ms;
  };
  return { events, take, pass };
}

test('an account and then an address on one channel are an authorization, each used once', () => {
  const { take, events } = taken();
  expect(take(ACCOUNT)).toEqual([]);
  expect(take(ADDRESS)).toEqual([DONE]);
  expect(take(ADDRESS)).toEqual([{ fault: 'no-account' }]);
  expect(take(ACCOUNT, event({ address: '2001:DB8::0:7' }))).toEqual([{ account: '1001', address: '2001:db8::7' }]);
  expect(events.size).toBe(0);
});

test('channels are kept apart', () => {
  const { take } = taken();
  expect(take(ACCOUNT, event({ account: '1002' }, '2.2'), ADDRESS)).toEqual([DONE]);
  expect(take(event({ address: '192.0.2.7' }, '3.3'))).toEqual([{ fault: 'no-account' }]);
  expect(take(event({ address: '192.0.2.8' }, '2.2'))).toEqual([{ account: '1002', address: '192.0.2.8' }]);
});

test('an address that comes later than five seconds is refused', () => {
  const { take, pass } = taken();
  take(ACCOUNT);
  pass(5001);
  expect(take(ADDRESS)).toEqual([{ fault: 'no-account' }]);
  take(ACCOUNT);
  pass(5000);
  expect(take(ADDRESS)).toEqual([DONE]);
});

describe('refused, and the account that waited is dropped', () => {
  test.each<[string, AuthorizationFault, Headers]>([
    ['an event with both', 'both', { account: '1001', address: '192.0.2.7' }],
    ['the address and a forged account', 'both', { address: '192.0.2.7', account: '9999' }],
    ['a header of another name', 'foreign', { address: '192.0.2.7', name: 'x' }],
    ['a header of another name alone', 'foreign', { services: 'ssh' }],
    ['a header of no name', 'foreign', { address: '192.0.2.7', '': '' }],
    ['an address that was sent twice', 'repeated', { address: ['192.0.2.7', '192.0.2.8'] }],
    ['a channel that was sent twice', 'repeated', { address: '192.0.2.7', uniqueid: ['1795388506.1', '2.2'] }],
    ['a name that was sent twice', 'repeated', { address: '192.0.2.7', userevent: ['Other', 'SallyportAuthorize'] }],
    ['variables', 'repeated', { address: '192.0.2.7', variable: { account: '9999' } }],
    ['no header', 'neither', {}],
    ['a second account', 'second-account', { account: '1001' }],
    ['an account with more in it', 'odd', { account: '1001,Account: 9999' }],
    ['an account with a line break', 'odd', { account: '1001\r\nAccount: 9999' }],
    ['an address with a line break', 'odd', { address: '192.0.2.7\r' }],
    ['an address with a port', 'odd', { address: '192.0.2.7:5060' }],
    ['a network', 'odd', { address: '192.0.2.0/24' }],
    ['a host name', 'odd', { address: 'example.org' }],
    ['an IPv4 address written as an IPv6 one', 'odd', { address: '::ffff:192.0.2.7' }],
    ['an empty value', 'odd', { address: '' }],
  ])('%s', (_, fault, headers) => {
    const { take, events } = taken();
    expect(take(ACCOUNT, event(headers))).toEqual([{ fault }]);
    expect(events.size).toBe(0);
    expect(take(ADDRESS)).toEqual([{ fault: 'no-account' }]);
  });

  test('what comes from no channel', () => {
    const { take } = taken();
    for (const uniqueid of [undefined, ''])
      expect(take(event({ account: '1001', uniqueid }))).toEqual([{ fault: 'no-channel' }]);
    expect(take({ event: 'UserEvent', userevent: 'SallyportAuthorize', account: '1001', uniqueid: '1.1' })).toEqual([
      { fault: 'no-channel' },
    ]);
  });
});

test('the variables that manager.conf names are Asterisk’s own; other events are nobody’s', () => {
  const { take } = taken();
  expect(
    take({ ...ACCOUNT, chanvariable: { account: '9999' } }, { ...ADDRESS, timestamp: '1.5', systemname: 'a' }),
  ).toEqual([DONE]);
  expect(take(event({ userevent: 'Other', account: '1' }), null, undefined, 7, 'x', [ACCOUNT])).toEqual([]);
});

test('whatever comes, only the two that belong together let anybody in', () => {
  const value = fc.oneof(
    fc.constantFrom('1001', '192.0.2.7', ['1001', '9999'], 'x,Account: 9999', '1001\r\nAddress: 192.0.2.7'),
    fc.anything(),
  );
  const name = fc.oneof(fc.constantFrom('account', 'address', 'uniqueid', 'userevent'), fc.string());
  fc.assert(
    fc.property(fc.array(fc.dictionary(name, value, { maxKeys: 3 }), { maxLength: 6 }), (all) => {
      const { take } = taken();
      const halves: string[] = [];
      for (const headers of all) {
        const keys = Object.keys(headers).filter((key) => key !== 'userevent' && key !== 'uniqueid');
        const isPlain = keys.length === 1 && typeof headers[keys[0] ?? ''] === 'string';
        halves.push(isPlain && Object.keys(headers).length === 1 ? (keys[0] ?? '') : 'other');
        const [told] = take(event(headers));
        if (told === undefined || 'fault' in told) continue;
        expect(halves.slice(-2)).toEqual(['account', 'address']);
      }
    }),
  );
});

test('a flood of accounts is remembered up to a bound, and for seconds', () => {
  const { events, take, pass } = taken();
  for (let n = 0; n < 20_000; n++) take(event({ account: '1001' }, `1.${n}`));
  expect(events.size).toBe(1000);
  pass(6000);
  take(ACCOUNT);
  expect(events.size).toBe(1);
});

describe('a session', () => {
  async function told(userEvents: boolean) {
    const heard: Authorization[] = [];
    const masks: string[] = [];
    const none = () => undefined;
    const session = new AmiSession(
      {
        ...{ onCall: none, onDigit: none, onPlayed: none, onHangUp: none, onRingFailed: none, onLost: none },
        onAuthorize: (one) => heard.push(one),
      },
      { userEvents },
    );
    await session.open({
      action: async ({ eventmask = '' }) => {
        masks.push(eventmask);
        return {};
      },
      close: none,
    });
    session.receive(ACCOUNT);
    session.listen();
    session.receive(ADDRESS);
    session.close();
    session.receive(ACCOUNT);
    session.receive(ADDRESS);
    return { heard, masks };
  }

  test('that is to listen asks for user events, and tells of them, those before it was listened to included', async () => {
    expect(await told(true)).toEqual({ heard: [DONE], masks: ['agi,call,user'] });
  });

  test('that is not to listen asks for none, and hears none', async () => {
    expect(await told(false)).toEqual({ heard: [], masks: ['agi,call'] });
  });
});
