/** What the PBX says, read with care: ARI's JSON, AMI's headers, callers' numbers, softphones' addresses. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readMessage } from '../../src/phone/ami-message.ts';
import { readAriEvent, readCallerId, readChannels } from '../../src/phone/ari-event.ts';
import { addressOf, softphoneAddress } from '../../src/phone/softphone-address.ts';
import { CHANNEL, CONTACT, SOFTPHONE } from '../support/phone/softphone.ts';

const TYPES = ['StasisStart', 'StasisEnd', 'ChannelDestroyed', 'Dial', 'ChannelDtmfReceived', 'PlaybackFinished'];

describe('events of ARI', () => {
  test('whatever comes, reading it does not throw, and a digit is a digit', () => {
    const channel = fc.record({
      id: fc.anything(),
      name: fc.anything(),
      caller: fc.anything(),
      dialplan: fc.anything(),
    });
    const event = fc.record({
      type: fc.oneof(fc.constantFrom(...TYPES), fc.anything()),
      channel: fc.oneof(channel, fc.anything()),
      peer: fc.oneof(channel, fc.anything()),
      playback: fc.anything(),
      digit: fc.oneof(fc.string(), fc.anything()),
      args: fc.oneof(fc.array(fc.string()), fc.anything()),
      dialstatus: fc.anything(),
    });
    fc.assert(
      fc.property(fc.oneof(event, fc.anything()), (value) => {
        const read = readAriEvent(value);
        if (read?.kind === 'digit') expect(read.digit).toMatch(/^[0-9*#]$/);
        readChannels([value]);
      }),
    );
  });

  test('a call is read with its channel, the caller’s digits and what it was handed to the application', () => {
    const channel = {
      id: '1795378032.0',
      name: 'PJSIP/1001-00000000',
      state: 'Up',
      caller: { name: 'x,Account: 9999', number: '1001' },
      dialplan: { app_name: 'Stasis', app_data: 'sallyport' },
    };
    expect(readAriEvent({ type: 'StasisStart', args: ['a'], channel })).toEqual({
      kind: 'entered',
      args: ['a'],
      channel: {
        id: '1795378032.0',
        name: 'PJSIP/1001-00000000',
        isUp: true,
        callerId: '1001',
        app: 'Stasis',
        appData: 'sallyport',
      },
    });
  });

  test('an id that would lead a request elsewhere is none', () => {
    for (const id of ['../x', 'a/b', 'a?b', '', 'x'.repeat(200), 5, null]) {
      expect(readAriEvent({ type: 'StasisEnd', channel: { id, name: 'SIP/1' } })).toBeUndefined();
    }
  });
});

test('of a caller’s number only digits and + are left', () => {
  expect(readCallerId('+49 (30) 12-34<script>')).toBe('+49301234');
  for (const nothing of ['', 'Anonymous', '<unknown>', undefined, 7]) expect(readCallerId(nothing)).toBeNull();
  expect(readCallerId('9'.repeat(500))).toHaveLength(32);
});

test('of a message of AMI what was sent twice is left out', () => {
  expect(readMessage({ event: 'X', channel: ['a', 'b'], variable: { a: 'b' }, uniqueid: '1.1' })).toEqual({
    event: 'X',
    uniqueid: '1.1',
  });
  for (const nothing of [null, 'text', 7, ['a'], undefined]) expect(readMessage(nothing)).toBeUndefined();
});

describe('the address of a softphone', () => {
  const addressIn = (table: Readonly<Record<string, string>>, channel = CHANNEL) =>
    softphoneAddress(channel, (name) => Promise.resolve(table[name] ?? null));

  test('is where it registered from and calls from', async () => {
    expect(await addressIn(SOFTPHONE)).toBe('192.0.2.7');
    const ipv6 = {
      ...SOFTPHONE,
      'CHANNEL(pjsip,remote_addr)': '[2001:DB8::7]:5060',
      [`PJSIP_CONTACT(${CONTACT},uri)`]: 'sip:1001@[2001:db8:0::7]:5060;transport=tcp',
    };
    expect(await addressIn(ipv6)).toBe('2001:db8::7');
  });

  test.each<[string, Record<string, string>]>([
    ['a contact that is written in the configuration', { [`PJSIP_CONTACT(${CONTACT},expiration_time)`]: '0' }],
    ['a contact that came by way of a proxy', { [`PJSIP_CONTACT(${CONTACT},path)`]: '<sip:proxy;lr>' }],
    ['a contact elsewhere', { [`PJSIP_CONTACT(${CONTACT},uri)`]: 'sip:1001@192.0.2.8:40000' }],
    ['no contact', { 'PJSIP_AOR(1001,contact)': '' }],
    ['a contact with an odd name', { 'PJSIP_AOR(1001,contact)': '1001;@zz),x' }],
    ['no address', { 'CHANNEL(pjsip,remote_addr)': '' }],
  ])('is not told of %s', async (_, change) => {
    expect(await addressIn({ ...SOFTPHONE, ...change })).toBeNull();
  });

  test('is not told of other technologies, nor of endpoints with odd names', async () => {
    for (const channel of ['SIP/1001-0000002a', 'Local/1001@x-0000002a;1', 'PJSIP/a,b)-0000002a', 'PJSIP/1001', '']) {
      expect(await addressIn(SOFTPHONE, channel)).toBeNull();
    }
  });

  test('one of several contacts will do; what cannot be read is not there', async () => {
    const other = '1001;@ffff';
    const table = { ...SOFTPHONE, 'PJSIP_AOR(1001,contact)': `${other},${CONTACT}` };
    expect(await addressIn(table)).toBe('192.0.2.7');
    const failing = softphoneAddress(CHANNEL, () => Promise.reject(new Error('Unable to read provided function')));
    expect(await failing).toBeNull();
  });

  test('is read with and without a port, and never from anything else', () => {
    expect(addressOf('192.0.2.7')).toBe('192.0.2.7');
    expect(addressOf('2001:db8::7')).toBe('2001:db8::7');
    expect(addressOf('[::ffff:192.0.2.7]:5060')).toBe('192.0.2.7');
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(addressOf(`x${text}`)).toBeNull();
      }),
    );
  });
});
