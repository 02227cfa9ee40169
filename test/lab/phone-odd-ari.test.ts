/** What becomes of the link where what answers is no healthy ARI: a scripted peer stands in for what Asterisk never does. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { CallId } from '#dist/core/phone/link.js';
import { eventually } from '../support/lab/lab.js';
import { asteriskFolder } from '../support/phone/asterisk.js';
import { Pbx, Told } from '../support/phone/pbx.js';
import { type Misdeed, ScriptedAri } from '../support/phone/scripted-ari.js';

const { folder, reason } = asteriskFolder();
/** Its API descriptions are the real ones. */
let pbx: Pbx;

beforeAll(async () => {
  if (folder !== undefined) pbx = (await Pbx.start()) as Pbx;
});
afterAll(() => pbx?.remove());
beforeEach((context) => {
  if (folder === undefined) context.skip(reason);
});
afterEach(() => pbx?.clear());

describe('an ARI that is none', () => {
  let ari: ScriptedAri;
  let url: string;
  let told: Told;

  beforeEach(async () => {
    const basic = Buffer.from('sallyport:ari-secret').toString('base64');
    ari = new ScriptedAri(pbx.config('ari').ari.url, `Basic ${basic}`);
    url = `http://127.0.0.1:${await ari.open()}`;
    const { ari: config } = pbx.config('ari');
    told = new Told(pbx.thread('ari', { ari: { ...config, url } }), '');
  });
  afterEach(async () => {
    await pbx.clear();
    await ari?.close();
  });

  test.each<[Misdeed, 'refused' | 'unreachable']>([
    ['reset', 'unreachable'],
    ['silence', 'unreachable'],
    ['html', 'refused'],
    ['docs-reset', 'unreachable'],
    ['docs-silence', 'unreachable'],
    ['docs-html', 'refused'],
    ['socket-refused', 'unreachable'],
    ['socket-silence', 'unreachable'],
    ['socket-garbage', 'unreachable'],
  ])('%s: the link is %s, and connects as soon as that is mended', async (misdeed, state) => {
    ari.misdeed = misdeed;
    await told.start();
    await told.becomes(state);
    expect(told.link.health().detail).not.toBeNull();
    if (state === 'refused') return;
    ari.misdeed = undefined;
    await told.becomes('connected', 12_000);
  });

  test('odd events make no call, grant nothing and crash nothing', async () => {
    await told.start();
    await told.becomes('connected');
    for (const event of oddEvents()) ari.say(event);
    // What comes after them is still heard.
    const channel = { id: '1.1', name: 'SIP/9-1', state: 'Up', caller: { number: '+49 (0) 12' }, dialplan: {} };
    ari.say(JSON.stringify({ type: 'StasisStart', args: [], channel }));
    await eventually(
      () => told.calls,
      (calls) => calls.length > 0,
    );
    expect(told.calls).toEqual([{ id: '1.1', callerId: '+49012', address: null, ring: null }]);
    expect(told.digits('1.1' as CallId)).toBe('');
    expect(told.link.health().state).toBe('connected');
  });

  test('frames that are none end the connection, and a new one is made', async () => {
    await told.start();
    for (const bytes of [Buffer.alloc(5000, 0x55), Buffer.from([0x81, 0xff]), Buffer.from([0x81, 2, 0xc3, 0x28])]) {
      await told.becomes('connected');
      ari.say(bytes);
      await told.becomes('unreachable');
    }
    await told.becomes('connected');
  });

  test('another program that takes our application over is named, and not fought', async () => {
    await told.start();
    await told.becomes('connected');
    ari.say(JSON.stringify({ type: 'ApplicationReplaced', application: 'sallyport' }));
    await told.becomes('refused');
    expect(told.link.health().detail).toContain('another program');
  });

  test('an address that is not on this machine is refused', async () => {
    for (const elsewhere of ['http://203.0.113.7:8088', 'https://127.0.0.1:8088', 'file:///etc/passwd']) {
      const thread = pbx.thread('ari', { ari: { ...pbx.config('ari').ari, url: elsewhere } });
      const away = new Told(thread, '');
      await away.start();
      await away.becomes('refused');
      expect(thread.health().detail).toContain('only http on this machine');
    }
    expect(ari.asked).toBe(0);
  });
});

function oddEvents(): string[] {
  const channel = { id: '1.1', name: 'SIP/9-1', state: 'Up' };
  const events: unknown[] = [null, 7, [], {}, '', { type: null }, { type: 'Unheard', channel }, { type: '__proto__' }];
  for (const type of [
    'StasisStart',
    'StasisEnd',
    'ChannelDtmfReceived',
    'ChannelDestroyed',
    'PlaybackFinished',
    'Dial',
  ]) {
    for (const odd of [
      undefined,
      null,
      {},
      [],
      'x',
      { id: 5 },
      { id: '../x', name: 'a' },
      { id: 'x'.repeat(300), name: 'a' },
    ]) {
      events.push({ type, channel: odd, args: [], digit: '1', playback: odd, peer: odd });
    }
    events.push(
      { type, channel, digit: '12', args: 'x' },
      { type, channel, digit: {} },
      { type, playback: { id: '-' } },
    );
  }
  events.push(
    { type: 'ChannelDtmfReceived', channel, digit: '7' },
    { type: 'StasisStart', channel, args: ['ring', 'r1'] },
  );
  return ['', '{', 'null', ...events.map((event) => JSON.stringify(event))];
}
