import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Io } from '../../src/cli/index.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { phoneInstall, phoneTest } from '../../src/phone-setup.ts';
import { AsteriskFolder } from '../support/asterisk-folder.ts';
import { cli } from '../support/control-rig.ts';

let asterisk: AsteriskFolder;
let file: string;
let out: string;
const io = { stdout: { write: (text: string) => (out += text) } } as unknown as Io;

beforeEach(() => {
  asterisk = new AsteriskFolder('debian');
  file = join(asterisk.top, 'sallyport.yaml');
  const secrets = join(asterisk.top, 'secrets');
  writeFileSync(
    file,
    `version: 1
services: {ssh: [tcp/22]}
phone:
  ari: {url: "http://127.0.0.1:2", password_file: ${secrets}/ari.secret}
  ami: {port: 2, secret_file: ${secrets}/ami.secret}
`,
  );
  out = '';
});
afterEach(() => asterisk.remove());

const install = (more: { print?: boolean; reload?: boolean; json?: boolean } = {}) =>
  phoneInstall({
    print: false,
    reload: false,
    json: false,
    ...more,
    file,
    asteriskDir: asterisk.etc,
    context: 'local',
    io,
  });
const secrets = () =>
  ['ari', 'ami'].map((name) => readFileSync(join(asterisk.top, 'secrets', `${name}.secret`), 'utf8').trim());

describe('phone install', () => {
  it('--print shows all of it and changes nothing', async () => {
    const before = asterisk.snapshot();
    expect(await install({ print: true })).toBe(0);
    expect(asterisk.snapshot()).toEqual(before);
    expect(out).toContain('exten => 864,1,Goto(sallyport,menu,1)');
    expect(out).toContain('#tryinclude "sallyport/manager.conf"');
    expect(out).toMatch(/password = \*{8}\n/);
    expect(out).not.toMatch(/(password|secret) = [^*]/);
  });

  it('says what it did, where the copies are and what is to be run, and no secret', async () => {
    expect(await install()).toBe(0);
    expect(out).toContain('864, dialled from [local], leads to the menu');
    expect(out).toMatch(/changed {2}\S+\/etc\/ari\.conf \(before: \S+\/ari\.conf\.sallyport-\d{8}-\d{6}\)/);
    expect(out).toContain(`asterisk -C ${asterisk.etc}/asterisk.conf -rx 'dialplan reload'`);
    for (const secret of secrets()) expect(out).not.toContain(secret);
    expect(existsSync(join(asterisk.data, 'sounds/en/sallyport/granted.wav'))).toBe(true);
  });

  it('masks the secrets that are there already', async () => {
    await install();
    const [ari = ''] = secrets();
    asterisk.put('sallyport/ari.conf', '');
    out = '';
    await install({ print: true, json: true });
    expect(out).toContain('password = ********');
    expect(out).not.toContain(ari);
  });

  it('says the second time that nothing was to be done', async () => {
    await install();
    out = '';
    await install({ json: true });
    expect(JSON.parse(out)).toMatchObject({ written: [], to_run: [], reloaded: false, asterisk: { context: 'local' } });
  });

  it('switches the menu on in the configuration where nothing there speaks of the phone, and says to restart', async () => {
    const text = 'version: 1\nservices: {ssh: [tcp/22]}   # straße';
    writeFileSync(file, text);
    // The usual places of the secrets are not ours to write in a test.
    expect(await install({ print: true })).toBe(0);
    expect(out).toContain('phone: {}');
    const { planPhoneSection } = await import('../../src/phone/setup/config-section.ts');
    const { content } = await planPhoneSection(file);
    expect(content?.toString()).toMatch(/^version: 1\n.*straße\nphone: \{\} +#/);
    const result = parseConfig(content?.toString() ?? '', file);
    expect(result.ok && result.config.phone.configured).toBe(true);
  });
});

describe('phone test', () => {
  it('says of each thing what to mend, and ends with 1', async () => {
    await install();
    out = '';
    expect(await phoneTest({ file, asteriskDir: asterisk.etc, json: false, io })).toBe(1);
    expect(out).toMatch(/^ok +the secret of the link/);
    expect(out).toMatch(/FAILED +ARI answers: http:\/\/127\.0\.0\.1:2: ECONNREFUSED\n +to mend: /);
    expect(out).toContain("install Asterisk's core sounds for en");
    for (const secret of secrets()) expect(out).not.toContain(secret);
  });

  it('says whether user events come through, where they are listened to', async () => {
    const text = readFileSync(file, 'utf8');
    const found = async () => {
      out = '';
      await phoneTest({ file, asteriskDir: asterisk.etc, json: true, io });
      const { checks } = JSON.parse(out) as { checks: { id: string; state: string; seen: string }[] };
      return checks.find(({ id }) => id === 'user-events');
    };
    writeFileSync(file, text.replace('phone:', 'phone:\n  driver: ami'));
    await install();
    expect(await found()).toBeUndefined();
    writeFileSync(
      file,
      text.replace('phone:', 'phone:\n  driver: ami').replace('{port: 2', '{port: 2, user_events: true'),
    );
    expect(await found()).toMatchObject({ state: 'failed', seen: 'sallyport has no class user in read' });
    asterisk.put('sallyport/manager.conf', '[sallyport]\nread = agi, call, user\neventfilter = Event: AsyncAGI\n');
    expect(await found()).toMatchObject({ state: 'failed', seen: 'no eventfilter lets them through' });
    await install();
    expect(await found()).toMatchObject({ state: 'ok' });
  });

  it('says where there is no Asterisk, and goes on with what it can see', async () => {
    await install();
    out = '';
    expect(await phoneTest({ file, asteriskDir: '/nonexistent', json: true, io })).toBe(1);
    const { ok, checks } = JSON.parse(out) as { ok: boolean; checks: { id: string; state: string }[] };
    expect([ok, checks.map(({ id, state }) => `${id} ${state}`)]).toEqual([
      false,
      ['secret ok', 'reach failed', 'asterisk failed'],
    ]);
  });
});

describe('the words of the commands', () => {
  it('reach what carries them out', async () => {
    const asked: unknown[] = [];
    const offline = {
      phoneInstall: async (options: object) => asked.push(options) - asked.length,
      phoneTest: async (options: object) => asked.push(options) - asked.length + 1,
    };
    const run = (line: string) => cli('/nonexistent', line.split(' '), { offline });
    expect((await run('phone install --context phones --print --config c.yaml')).status).toBe(0);
    expect((await run('phone test --json --asterisk-dir /opt/etc')).status).toBe(1);
    expect(asked).toEqual([
      { config: 'c.yaml', context: 'phones', asteriskDir: '/etc/asterisk', print: true, reload: false, json: false },
      { asteriskDir: '/opt/etc', json: true },
    ]);
  });
});
