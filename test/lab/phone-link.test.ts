/** The link to the PBX on a real Asterisk with real calls, through both drivers. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Call, PhoneNumber } from '#dist/core/phone/link.js';
import { eventually } from '../support/lab/lab.js';
import { asteriskFolder } from '../support/phone/asterisk.js';
import { type Driver, Pbx, type Told } from '../support/phone/pbx.js';

const { folder, reason } = asteriskFolder();
const FAST = { tone: 80, gap: 40 };
const number = (text: string) => text as PhoneNumber;

let pbx: Pbx;

beforeAll(async () => {
  const trunks = [{ name: 'provider', from: '127.0.0.9', port: 5060 }];
  if (folder !== undefined) pbx = (await Pbx.start({ trunks })) as Pbx;
});
afterAll(() => pbx?.remove());
beforeEach((context) => {
  if (folder === undefined) context.skip(reason);
});
afterEach(() => pbx?.clear());

describe.each<Driver>(['ari', 'ami'])('by %s', (driver) => {
  let told: Told;
  beforeEach(async () => {
    told = await pbx.link(driver);
  });

  const ended = (count = 1) =>
    eventually(
      () => told.hungUp.length,
      (n) => n >= count,
    );
  const digitsOf = (call: Parameters<Told['digits']>[0], count: number) =>
    eventually(
      () => told.digits(call),
      (digits) => digits.length >= count,
    );

  test('a call is told of with the number it says it comes from, and nothing else of what it says', async () => {
    const phone = await pbx.phone();
    const { call } = await told.ring(phone, { name: 'x,Account: 9999' });
    expect(call).toMatchObject({ callerId: '1001', ring: null });
    expect(JSON.stringify(told.calls)).not.toContain('9999');
    expect(told.link.health()).toEqual({ state: 'connected', detail: null, calls: 1 });
  });

  test('digits arrive once each and in order, typed fast, ahead or slowly', async () => {
    const { call, voice } = await told.ring(await pbx.phone());
    await voice.press('12345678901122334455', FAST);
    expect(await digitsOf(call.id, 20)).toBe('12345678901122334455');
    told.play(call.id, 'hello-world');
    await voice.press('00*#', FAST);
    await voice.press('99', { tone: 200, gap: 400 });
    expect(await digitsOf(call.id, 26)).toBe('1234567890112233445500*#99');
  });

  test('digits that are typed as soon as the call is up, before it is told of, arrive too', async () => {
    const voice = (await pbx.phone()).call(told.extension);
    await voice.answered;
    await voice.press('1234567890', FAST);
    const [call] = await eventually(
      () => told.calls,
      (calls) => calls.length > 0,
    );
    expect(await digitsOf((call as Call).id, 10)).toBe('1234567890');
  });

  test('what is typed is in no log of Asterisk’s, at its default verbosity', async () => {
    const { call, voice } = await told.ring(await pbx.phone());
    await voice.press('835729461#', FAST);
    expect(await digitsOf(call.id, 10)).toBe('835729461#');
    await voice.hangUp();
    await ended();
    const logs = pbx.asterisk.logs + pbx.asterisk.output;
    expect(logs).toContain('Asterisk Ready');
    expect(logs.replace(/[^0-9]/g, '')).not.toContain('835729461');
  });

  test('what is played to its end is told once, and heard', async () => {
    const { call, voice } = await told.ring(await pbx.phone());
    const turn = told.play(call.id, 'digits/1', 'digits/2');
    await eventually(
      () => told.played.length,
      (n) => n > 0,
    );
    expect(voice.heard).toBeGreaterThan(20);
    const empty = told.play(call.id);
    await eventually(
      () => told.played.length,
      (n) => n > 1,
    );
    expect(told.played).toEqual([
      [call.id, turn],
      [call.id, empty],
    ]);
  });

  test('a digit stops the play, which is then not told to have been heard', async () => {
    const { call, voice } = await told.ring(await pbx.phone());
    told.play(call.id, 'hello-world', 'vm-goodbye', 'hello-world', 'vm-goodbye');
    await eventually(
      () => voice.heard,
      (n) => n > 10,
    );
    await voice.press('5');
    await digitsOf(call.id, 1);
    // The next play is heard at once, not after what was left of the first.
    const turn = told.play(call.id, 'digits/7');
    await eventually(
      () => told.played.length,
      (n) => n > 0,
      2500,
    );
    expect(told.played).toEqual([[call.id, turn]]);
  });

  test('a play takes the place of the one before it', async () => {
    const { call } = await told.ring(await pbx.phone());
    told.play(call.id, 'vm-goodbye', 'hello-world', 'hello-world', 'hello-world');
    told.play(call.id, 'hello-world', 'hello-world', 'hello-world', 'hello-world');
    const turn = told.play(call.id, 'digits/1');
    await eventually(
      () => told.played.length,
      (n) => n > 0,
      2500,
    );
    expect(told.played).toEqual([[call.id, turn]]);
  });

  test('a sound that is not there is passed over', async () => {
    const { call } = await told.ring(await pbx.phone());
    const turn = told.play(call.id, 'sallyport/nowhere', '../../etc/passwd', 'digits/1');
    await eventually(
      () => told.played.length,
      (n) => n > 0,
    );
    expect(told.played).toEqual([[call.id, turn]]);
  });

  test('a hang-up is told once, whoever hung up', async () => {
    const phone = await pbx.phone();
    const theirs = await told.ring(phone);
    await theirs.voice.hangUp();
    await ended();
    const ours = await told.ring(phone);
    told.play(ours.call.id, 'hello-world');
    told.link.hangUp(ours.call.id);
    expect(await ours.voice.ended).toBe('them');
    await ended(2);
    told.link.hangUp(ours.call.id);
    expect(told.hungUp).toEqual([theirs.call.id, ours.call.id]);
    expect(told.link.health().calls).toBe(0);
  });

  test('20 calls at once keep their digits apart', async () => {
    const phone = await pbx.phone();
    told.greeting = ['hello-world'];
    const calls = [];
    for (let n = 10; n < 30; n++) calls.push(await told.ring(phone));
    const typed = (n: number) => `${n}${n * 7}#${n}`;
    await Promise.all(calls.map(({ voice }, n) => voice.press(typed(n + 10), FAST)));
    for (const [n, { call }] of calls.entries()) {
      const text = typed(n + 10);
      expect(await digitsOf(call.id, text.length)).toBe(text);
    }
    expect(told.link.health().calls).toBe(20);
    await Promise.all(calls.map(({ voice }) => voice.hangUp()));
    await ended(20);
    expect(new Set(told.hungUp).size).toBe(20);
  });

  test('a registered softphone has its own address', async () => {
    const { call } = await told.ring(await pbx.phone('1001', { local: '127.0.0.3' }));
    expect(call.address).toBe('127.0.0.3');
  });

  test('a trunk has none, nor has a softphone that calls from elsewhere than it registered', async () => {
    await pbx.phone('1001', { local: '127.0.0.3' });
    const elsewhere = await told.ring(await pbx.phone('1001', { local: '127.0.0.4', register: false }));
    expect(elsewhere.call.address).toBeNull();
    const trunk = await told.ring(await pbx.phone('provider', { local: '127.0.0.9', register: false }));
    expect(trunk.call.address).toBeNull();
  });

  test('a telephone that is rung and answers is a call with the id of the ring', async () => {
    const phone = await pbx.phone();
    told.link.ring('ring-1', number('1001'));
    const voice = await phone.nextCall();
    const [call] = await eventually(
      () => told.calls,
      (calls) => calls.length > 0,
    );
    expect(call).toMatchObject({ ring: 'ring-1', address: null });
    await voice.press('246#', FAST);
    const id = call?.id ?? expect.fail();
    expect(await digitsOf(id, 4)).toBe('246#');
    told.link.hangUp(id);
    expect(await voice.ended).toBe('them');
    await ended();
    expect(told.rings).toEqual([]);
  });

  test('a telephone that is busy, does not answer, or is not there: the ring is told to have failed', async () => {
    const phone = await pbx.phone();
    const failed = async (count: number) =>
      (
        await eventually(
          () => told.rings,
          (rings) => rings.length >= count,
          15_000,
        )
      ).at(-1);
    phone.whenCalled('busy');
    told.link.ring('busy', number('1001'));
    expect(await failed(1)).toEqual(['busy', 'busy']);
    phone.whenCalled('ring');
    told.link.ring('silent', number('1001'));
    expect(await failed(2)).toEqual(['silent', 'unanswered']);
    told.link.ring('nowhere', number('4711'));
    expect(await failed(3)).toEqual(['nowhere', 'unreachable']);
    told.link.ring('odd', number('1001@elsewhere,x\r\nAction: Quit'));
    expect(await failed(4)).toEqual(['odd', 'unreachable']);
    expect(told.calls).toEqual([]);
  });
});
