/** What becomes of the link to the PBX where the PBX is not there, not well, or not what it should be. */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PhoneNumber } from '#dist/core/phone/link.js';
import { eventually } from '../support/lab/lab.js';
import { asteriskFolder } from '../support/phone/asterisk.js';
import { type Driver, Pbx, Told } from '../support/phone/pbx.js';

const { folder, reason } = asteriskFolder();
let pbx: Pbx;

beforeAll(async () => {
  if (folder !== undefined) pbx = (await Pbx.start()) as Pbx;
});
afterAll(() => pbx?.remove());
beforeEach((context) => {
  if (folder === undefined) context.skip(reason);
});
afterEach(() => pbx?.clear());

describe.each<Driver>(['ari', 'ami'])('by %s', (driver) => {
  /** A call of a new phone goes through and its digits arrive. */
  async function calls(told: Told): Promise<void> {
    const { call, voice } = await told.ring(await pbx.phone());
    await voice.press('42#');
    await eventually(
      () => told.digits(call.id),
      (digits) => digits === '42#',
    );
  }

  test('an Asterisk that is restarted in mid-call: the call is told to be over, and the next one works', async () => {
    const told = await pbx.link(driver);
    const { call } = await told.ring(await pbx.phone());
    await pbx.asterisk.stop();
    await told.becomes('unreachable');
    expect(told.hungUp).toEqual([call.id]);
    expect(told.link.health().detail).toContain('Asterisk');
    await pbx.asterisk.launch();
    await told.becomes('connected', 5000);
    await calls(told);
  });

  test('an Asterisk that is killed in mid-call and comes back: re-attached within 5 s', async () => {
    const told = await pbx.link(driver);
    const { call } = await told.ring(await pbx.phone());
    told.link.ring('lost', '4711' as PhoneNumber);
    await pbx.asterisk.kill();
    await told.becomes('unreachable');
    expect(told.hungUp).toEqual([call.id]);
    expect(told.rings).toEqual([['lost', 'unreachable']]);
    told.link.ring('later', '1001' as PhoneNumber);
    await eventually(
      () => told.rings,
      (rings) => rings.length === 2,
    );
    await pbx.asterisk.launch();
    await told.becomes('connected', 5000);
    await calls(told);
  });

  test('an Asterisk that freezes is noticed within 15 s, and re-attached within 5 s of its return', async () => {
    const told = await pbx.link(driver);
    const { call, voice } = await told.ring(await pbx.phone());
    pbx.asterisk.freeze();
    try {
      await told.becomes('unreachable', 15_000);
    } finally {
      pbx.asterisk.thaw();
    }
    await told.becomes('connected', 5000);
    // Nobody leads that call any more: it does not go on in silence.
    expect(told.hungUp).toEqual([call.id]);
    expect(await voice.ended).toBe('them');
    await calls(told);
  });

  test('a thread that dies is replaced: its calls are told to be over, and no caller is left in silence', async () => {
    const workers: Worker[] = [];
    const onWorker = (worker: Worker) => workers.push(worker);
    process.on('worker', onWorker);
    const told = await pbx.link(driver).finally(() => process.off('worker', onWorker));
    const { call, voice } = await told.ring(await pbx.phone());
    await workers[0]?.terminate();
    await told.becomes('failed');
    expect(told.hungUp).toEqual([call.id]);
    await told.becomes('connected');
    expect(await voice.ended).toBe('them');
    await calls(told);
  });

  test('a wrong password is said in plain words and shown nowhere', async () => {
    await pbx.writePassword(driver, 'not-the-secret-77');
    const told = new Told(pbx.thread(driver), '');
    await told.start();
    await told.becomes('refused');
    const { detail } = told.link.health();
    expect(detail).toContain('"sallyport" with its password');
    expect(detail).not.toContain('not-the-secret-77');
    await pbx.writePassword(driver, `${driver}-secret`);
    await calls(await pbx.link(driver));
  });

  test('a password file that others can read, or that is not there, is refused with what to do', async () => {
    const config = pbx.config(driver);
    const file = driver === 'ari' ? config.ari.passwordFile : config.ami.secretFile;
    const detailOf = async () => {
      const told = new Told(pbx.thread(driver), '');
      await told.start();
      await told.becomes('refused');
      return told.link.health().detail;
    };
    try {
      await chmod(file, 0o644);
      expect(await detailOf()).toContain(`chmod 600 ${file}`);
      await writeFile(file, '\n');
      await chmod(file, 0o600);
      expect(await detailOf()).toContain('holds no password');
    } finally {
      await chmod(file, 0o600);
      await pbx.writePassword(driver, `${driver}-secret`);
    }
    const away = join(pbx.directory, 'nowhere');
    const change =
      driver === 'ari' ? { ari: { ...config.ari, passwordFile: away } } : { ami: { ...config.ami, secretFile: away } };
    const told = new Told(pbx.thread(driver, change), '');
    await told.start();
    await told.becomes('refused');
    expect(told.link.health().detail).toContain('is not there');
  });

  test('stop ends at once, whatever the PBX does', async () => {
    const told = await pbx.link(driver);
    const { voice } = await told.ring(await pbx.phone());
    await told.link.stop();
    expect(await voice.ended).toBe('them');
    expect(told.link.health().state).toBe('off');
    expect(told.hungUp).toEqual([]);
  });
});
