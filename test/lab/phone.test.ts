/**
 * The telephone as a whole: a real Asterisk beside the daemon on the gateway, softphones, and the port that opens.
 *
 *   phone ── SIP, RTP ──▶ Asterisk ── ARI or AMI ──▶ daemon ──▶ packet filter   (gateway)
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { defaultConfig } from '#dist/config/defaults.js';
import { encodePairing, type PairingCode } from '#dist/core/pairing.js';
import { amiText, ariText, dialplanText } from '#dist/phone/setup/snippets.js';
import { AsteriskServer } from '../../scripts/lib/asterisk-server.mjs';
import type { LabDaemon } from '../support/lab/daemon.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { asteriskFolder } from '../support/phone/asterisk.js';

const SOUNDS = fileURLToPath(new URL('../../dialplan/sounds/en/sallyport', import.meta.url));
const ALICE = 'udp/21234,tcp/28111,udp/24711';
const BOB = 'udp/22345,udp/27111,udp/23711';
const [ALICES_PIN, BOBS_PIN] = ['483921', '716253'];
const CODE = '402913' as PairingCode;
/** Milliseconds in which whoever is asked has heard all there is to hear. */
const A_WHILE = 15_000;

/** The telephones' own dialplan: a number is a telephone that rings for three seconds. */
const PHONES = `[phone]\nexten => _X.,1,Dial(PJSIP/\${EXTEN},3)\n`;

const { folder, ...missing } = asteriskFolder();
describe.each(['ari', 'ami'] as const)('the telephone by %s', (driver) => {
  let lab: Lab;
  let daemon: LabDaemon;
  let asterisk: AsteriskServer;
  let directory: string;

  beforeAll(async () => {
    if (folder === undefined) return;
    lab = await Lab.create();
    directory = await mkdtemp(join(tmpdir(), 'sallyport-pbx-'));
    const secret = join(directory, 'secret');
    await writeFile(secret, `${driver}-secret\n`, { mode: 0o600 });
    const login = driver === 'ari' ? `ari: {password_file: ${secret}}` : `ami: {secret_file: ${secret}}`;
    const { namespace, ipv4: address } = lab.gateway;
    const sounds = existsSync(SOUNDS) ? { sallyport: SOUNDS } : {};
    // What `sallyport phone install` writes is what it runs with: dialplan, users, rights.
    const settings = { ...defaultConfig({ sshPorts: [] }).phone, driver };
    asterisk = new AsteriskServer({
      folder,
      directory,
      namespace,
      address,
      sounds,
      dialplan: PHONES + dialplanText({ phone: settings, context: 'phone' }),
      files: {
        'ari.conf': `[general]\nenabled=yes\n${ariText(settings.ari, 'ari-secret')}`,
        'manager.conf': `[general]\nenabled=yes\nbindaddr=127.0.0.1\n${amiText(settings.ami, 'ami-secret')}`,
      },
    });
    await asterisk.start();
    daemon = lab.daemon({
      config: `services: {ssh: [tcp/22]}\nfirewall: {guard: [ssh]}\nphone: {driver: ${driver}, ${login}}\n`,
    });
    await daemon.start();
    await daemon.confirm();
    await daemon.addUser('alice', { knock: ALICE, account: '1001', pin: ALICES_PIN });
    await daemon.addUser('bob', { knock: BOB, approval: 'callback', number: '1001', pin: BOBS_PIN });
    await lab.gateway.tell('listenTcp', { port: 22 });
    await sip('open', { server: address, local: lab.phone.ipv4, user: '1001', password: 'phone-secret' });
    expect(await sip('register')).toBe(200);
    await eventually(phone, ({ state }) => state === 'connected', A_WHILE);
  });

  afterAll(async () => {
    if (folder === undefined) return;
    await sip('close');
    await daemon.kill();
    await asterisk.stop();
    await lab.destroy();
    await rm(directory, { recursive: true, force: true });
  });

  beforeEach(async (context) => {
    if (folder === undefined) return context.skip((missing as { reason: string }).reason);
    for (const { id } of await daemon.grants()) await daemon.cli('revoke', id);
  });

  const sip = (does: string, options: object = {}) => lab.phone.tell('sip', { does, name: 'desk', ...options });
  const phone = async () =>
    (await daemon.json<{ parts: { phone: { state: string; calls: number } } }>('status')).parts.phone;
  const events = async (name: string) =>
    (await daemon.eventsNamed(name)).map(({ user, method }) => `${user} ${method}`);
  const isOpen = (host: 'laptop' | 'phone', family: 'ipv4' | 'ipv6' = 'ipv4') =>
    lab[host].tcp(lab.gateway[family], 22, { timeout: 250 }).then((verdict) => verdict === 'open');

  /**
   * Listens for a while, presses, and again until something comes of it: nobody knows when all has been heard, and what is
   * pressed before begins it anew.
   */
  async function pressUntil(digits: string, isDone: () => Promise<boolean>, patience = 6000): Promise<void> {
    for (let n = 0; n < 4 && !(await isDone()); n++) {
      await pause(patience / 2);
      await sip('press', { digits });
      const until = performance.now() + patience;
      while (performance.now() < until && !(await isDone())) await pause(200);
    }
    expect(await isDone()).toBe(true);
  }

  async function login(): Promise<void> {
    await sip('call', { number: '864' });
    await sip('press', { digits: `1001#${ALICES_PIN}#` });
  }

  it('lets in an address that is typed, with the method, the account and the caller in the records', async () => {
    await login();
    await sip('press', { digits: `1${lab.laptop.ipv4.replaceAll('.', '*')}#` });
    expect(await isOpen('laptop')).toBe(false);
    await pressUntil('1', () => isOpen('laptop'));
    expect(await daemon.grantFor(lab.laptop.ipv4)).toMatchObject({
      user: 'alice',
      method: 'phone',
      note: 'caller 1001',
    });
    expect(await events('grant.opened')).toContain('alice phone');
    await sip('hangUp');
    await eventually(phone, ({ calls }) => calls === 0);
  });

  it('lets in the address that a softphone calls from', async () => {
    await login();
    await sip('press', { digits: '4' });
    await pressUntil('1', () => isOpen('phone'));
    await sip('hangUp');
  });

  it('lets in the IPv6 address of a knock by its code and the PIN', async () => {
    await lab.laptop.knock(lab.gateway.ipv6, steps(ALICE), { payload: [...encodePairing(CODE)] });
    await eventually(
      () => events('claim.made'),
      (told) => told.length > 0,
    );
    expect(await isOpen('laptop', 'ipv6')).toBe(false);
    await login();
    await sip('press', { digits: `2${CODE}` });
    await pressUntil('1', () => isOpen('laptop', 'ipv6'));
    await sip('hangUp');
  });

  it('closes what is open', async () => {
    await daemon.cli('allow', lab.laptop.ipv4, '--for', '1h');
    await lab.phone.knock(lab.gateway.ipv4, steps(ALICE));
    await eventually(() => isOpen('phone'), Boolean);
    await login();
    await sip('press', { digits: '3' });
    await pressUntil('1', async () => !(await isOpen('phone')));
    expect(await isOpen('laptop')).toBe(true);
    await sip('hangUp');
  });

  it('rings who has to say yes, and lets in by their PIN', async () => {
    await sip('whenCalled', { what: 'answer' });
    const [, , from] = await Promise.all([
      lab.laptop.knock(lab.gateway.ipv4, steps(BOB)),
      eventually(
        () => events('claim.made'),
        (told) => told.includes('bob knock'),
      ),
      sip('nextCall'),
    ]);
    expect(typeof from).toBe('string');
    expect(await isOpen('laptop')).toBe(false);
    await pressUntil(`${BOBS_PIN}#`, () => isOpen('laptop'), 24_000);
    await sip('ended');
  });

  it('tells the journal where the number is busy', async () => {
    await sip('whenCalled', { what: 'busy' });
    await lab.laptop.knock(lab.gateway.ipv4, steps(BOB));
    const told = await eventually(
      () => daemon.eventsNamed('claim.unanswered'),
      ({ length }) => length > 0,
      A_WHILE,
    );
    expect(told.at(-1)).toMatchObject({ user: 'bob', detail: 'the number is busy' });
  });

  it('goes on without Asterisk, says so, and answers again when it is back', async () => {
    await asterisk.kill();
    await eventually(phone, ({ state }) => state !== 'connected', A_WHILE);
    await lab.phone.knock(lab.gateway.ipv4, steps(ALICE));
    await eventually(() => isOpen('phone'), Boolean);
    await asterisk.launch();
    await eventually(phone, ({ state }) => state === 'connected', A_WHILE);
  });

  it('writes what was pressed nowhere', async () => {
    const logs = [daemon.output, asterisk.logs, asterisk.output, JSON.stringify(await daemon.events())].join('\n');
    expect(logs).toContain('grant.opened');
    for (const digits of [ALICES_PIN, BOBS_PIN]) expect(logs).not.toContain(digits);
  });
});
