/** More events of ARI at once than a busy machine reads in time: this one is read with the machine to itself. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { eventually } from '../support/lab/lab.js';
import { asteriskFolder } from '../support/phone/asterisk.js';
import { Pbx, Told } from '../support/phone/pbx.js';
import { ScriptedAri } from '../support/phone/scripted-ari.js';

const { folder, reason } = asteriskFolder();
/** Its API descriptions are the real ones. */
let pbx: Pbx;
let ari: ScriptedAri;
let told: Told;

beforeAll(async () => {
  if (folder === undefined) return;
  pbx = (await Pbx.start()) as Pbx;
  const { ari: config } = pbx.config('ari');
  ari = new ScriptedAri(config.url, `Basic ${Buffer.from('sallyport:ari-secret').toString('base64')}`);
  const url = `http://127.0.0.1:${await ari.open()}`;
  told = new Told(pbx.thread('ari', { ari: { ...config, url } }), '');
});
afterAll(async () => {
  await pbx?.clear();
  await ari?.close();
  await pbx?.remove();
});
beforeEach((context) => {
  if (folder === undefined) context.skip(reason);
});

test('20,000 events at once neither grow the memory nor hold the link up', async () => {
  await told.start();
  await told.becomes('connected');
  const before = process.memoryUsage().rss;
  const channel = {
    id: '1.1',
    name: 'SIP/9-1',
    state: 'Up',
    caller: { number: '9' },
    dialplan: { pad: 'x'.repeat(500) },
  };
  ari.say(JSON.stringify({ type: 'StasisStart', args: [], channel }));
  for (let n = 0; n < 20_000; n++)
    ari.say(JSON.stringify({ type: 'ChannelDtmfReceived', digit: `${n % 10}`, channel }));
  ari.say(JSON.stringify({ type: 'StasisEnd', channel }));
  await eventually(
    () => told.hungUp.length,
    (count) => count === 1,
    30_000,
  );
  expect(told.link.health()).toMatchObject({ state: 'connected', detail: null });
  expect(process.memoryUsage().rss - before).toBeLessThan(150 << 20);
});
