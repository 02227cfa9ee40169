import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, type TestContext } from 'vitest';
import type { PhoneHealth } from '#dist/core/phone/link.js';
import { PROMPTS, type PromptName } from '#dist/core/phone/prompts.js';
import { type AsteriskOptions, AsteriskServer } from '../../../scripts/lib/asterisk-server.mjs';
import type { LabDaemon } from '../lab/daemon.js';
import type { LabHost } from '../lab/host.js';
import { eventually, Lab, steps } from '../lab/lab.js';
import { asteriskFolder } from './asterisk.js';
import type { Driver } from './pbx.js';
import { writeSpokenSounds } from './spoken-sounds.js';

/** What is dialled to be led by a driver. */
const EXTENSION = { ari: '864', ami: '865' } as const;
const PASSWORD = 'phone-secret';
/** What a caller waits for at most, on a machine that has other work: a PIN is hashed after those of other callers. */
const SOON = 30_000;

const { folder, reason } = asteriskFolder();

/**
 * A real Asterisk beside the daemon on the gateway, softphones on the machine `phone`, and the port that opens.
 *
 *   phone ── SIP, RTP ──▶ Asterisk ── ARI or AMI ──▶ daemon ──▶ packet filter   (gateway)
 */
export class PhoneLab {
  readonly driver: Driver;
  readonly lab: Lab;
  readonly directory: string;
  readonly asterisk: AsteriskServer;
  readonly daemon: LabDaemon;
  readonly #telephones: Telephone[] = [];

  /** Undefined where there is no Asterisk. */
  static async start(
    driver: Driver,
    options: Partial<AsteriskOptions> = {},
    { userEvents = false } = {},
  ): Promise<PhoneLab | undefined> {
    if (folder === undefined) return undefined;
    const lab = await Lab.create();
    const directory = await mkdtemp(join(tmpdir(), 'sallyport-pbx-'));
    await mkdir(join(directory, 'spoken'));
    const sounds = await writeSpokenSounds(join(directory, 'spoken'));
    const { namespace, ipv4: address } = lab.gateway;
    const asterisk = new AsteriskServer({ folder, directory, namespace, address, sounds, ...options });
    const phones = new PhoneLab(driver, lab, directory, asterisk, userEvents);
    try {
      await phones.#start();
      return phones;
    } catch (error) {
      await phones.remove();
      throw error;
    }
  }

  private constructor(driver: Driver, lab: Lab, directory: string, asterisk: AsteriskServer, userEvents: boolean) {
    this.driver = driver;
    this.lab = lab;
    this.directory = directory;
    this.asterisk = asterisk;
    const secret = this.#secretFile;
    const login =
      driver === 'ari'
        ? `ari: {password_file: ${secret}}`
        : `ami: {secret_file: ${secret}, user_events: ${userEvents}}`;
    this.daemon = lab.daemon({
      config: `services: {ssh: [tcp/22]}\nfirewall: {guard: [ssh]}\nphone: {driver: ${driver}, ${login}}\n`,
    });
  }

  get #secretFile(): string {
    return join(this.directory, 'secret');
  }

  get extension(): string {
    return EXTENSION[this.driver];
  }

  async #start(): Promise<void> {
    await this.writeSecret(`${this.driver}-secret`);
    await this.asterisk.start();
    await this.daemon.start();
    await this.daemon.confirm();
    await this.lab.gateway.tell('listenTcp', { port: 22 });
    await this.becomes('connected');
  }

  writeSecret(secret: string): Promise<void> {
    return writeFile(this.#secretFile, `${secret}\n`, { mode: 0o600 });
  }

  /** A new telephone on the machine `phone`. */
  async telephone(user: string, { register = false } = {}): Promise<Telephone> {
    const telephone = new Telephone(this.lab.phone, `${user} ${this.#telephones.length}`, this.extension);
    this.#telephones.push(telephone);
    const { ipv4: server } = this.lab.gateway;
    await telephone.tell('open', { server, local: this.lab.phone.ipv4, user, password: PASSWORD });
    if (register) expect(await telephone.tell('register')).toBe(200);
    return telephone;
  }

  async phone(): Promise<PhoneHealth> {
    return (await this.daemon.api<{ parts: { phone: PhoneHealth } }>('GET', '/v1/status')).body.parts.phone;
  }

  becomes(state: PhoneHealth['state'], bound = SOON): Promise<PhoneHealth> {
    return eventually(
      () => this.phone(),
      (phone) => phone.state === state,
      bound,
    );
  }

  /** No call is led any more. */
  async quiet(): Promise<void> {
    await eventually(
      () => this.phone(),
      ({ calls }) => calls === 0,
      SOON,
    );
  }

  /** Ends all calls, and closes everything. */
  async clear(): Promise<void> {
    for (const telephone of this.#telephones) await telephone.hangUp();
    await this.quiet();
    for (const { id } of await this.daemon.grants()) await this.revoke(id);
    expect(await this.daemon.grants()).toEqual([]);
  }

  async revoke(what: string): Promise<void> {
    expect((await this.daemon.api('POST', '/v1/revoke', { what })).status).toBe(200);
  }

  async isOpen(host: LabHost, family: 'ipv4' | 'ipv6' = 'ipv4', source?: string): Promise<boolean> {
    const verdict = await host.tcp(this.lab.gateway[family], 22, { timeout: 250, ...(source ? { source } : {}) });
    return verdict === 'open';
  }

  async opens(host: LabHost, family: 'ipv4' | 'ipv6' = 'ipv4', source?: string): Promise<void> {
    await eventually(() => this.isOpen(host, family, source), Boolean);
  }

  /** A knock is answered: the stranger is let in, and out again. */
  async servesKnock(sequence: string): Promise<void> {
    const { stranger, gateway } = this.lab;
    expect(await this.isOpen(stranger)).toBe(false);
    await stranger.knock(gateway.ipv4, steps(sequence));
    await this.opens(stranger);
    const { id } = await this.daemon.grantFor(stranger.ipv4);
    await this.revoke(id);
    await eventually(
      () => this.isOpen(stranger),
      (isOpen) => !isOpen,
    );
  }

  /** Waits for a line of the journal. */
  told(event: string, user: string, detail: string | RegExp, bound = SOON): Promise<unknown> {
    return eventually(
      () => this.daemon.eventsNamed(event),
      (all) => all.some((one) => one.user === user && (one.detail ?? '').search(detail) >= 0),
      bound,
    );
  }

  /** Neither the daemon nor its journal nor Asterisk has written these digits down, nor any key by itself. */
  async wroteNone(...secrets: string[]): Promise<void> {
    const journal = JSON.stringify(await this.daemon.events());
    const theirs = `${this.asterisk.logs}\n${this.asterisk.output}`;
    const written = `${this.daemon.output}\n${journal}\n${theirs}`;
    expect(written).toContain('daemon.started');
    expect(theirs).toContain('Asterisk Ready');
    expect(theirs).not.toMatch(/dtmf (begin|end)/i);
    // Few digits may be a part of a time of day or an id.
    for (const digits of secrets)
      expect(written).not.toMatch(digits.length < 8 ? new RegExp(`(?<!\\d)${digits}(?!\\d)`) : new RegExp(digits));
  }

  async remove(): Promise<void> {
    for (const telephone of this.#telephones) await telephone.tell('close').catch(() => undefined);
    await this.daemon.kill();
    await this.asterisk.stop();
    await this.lab.destroy();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** A telephone of the lab, with one call at a time. It knows what it hears by the name (spoken-sounds.ts). */
export class Telephone {
  readonly #host: LabHost;
  readonly #name: string;
  readonly #extension: string;
  /** So much of what was said has been waited for. */
  #heard = 0;
  #hasCalled = false;

  constructor(host: LabHost, name: string, extension: string) {
    this.#host = host;
    this.#name = name;
    this.#extension = extension;
  }

  tell<T>(does: string, options: object = {}): Promise<T> {
    return this.#host.tell<T>('sip', { does, name: this.#name, ...options });
  }

  /** Calls the menu, or a number; resolves when it is answered. */
  async call(number = this.#extension): Promise<void> {
    this.#heard = 0;
    this.#hasCalled = true;
    await this.tell('call', { number });
  }

  /** Resolves when it has rung. */
  async isCalled(): Promise<void> {
    this.#heard = 0;
    this.#hasCalled = true;
    expect(typeof (await this.tell('nextCall'))).toBe('string');
  }

  async press(digits: string): Promise<void> {
    await this.tell('press', { digits });
  }

  /** Calls, and gives account and PIN in one go. */
  async login(account: string, pin: string): Promise<void> {
    await this.call();
    await this.hears('enter-account');
    await this.press(`${account}#${pin}#`);
  }

  /** All that was said in this call, by the names of the sounds. */
  async said(): Promise<readonly string[]> {
    return (await this.tell<{ said: string[] }>('heard')).said;
  }

  /** Waits until this is said, after what was waited for before. */
  async hears(prompt: PromptName, bound = SOON): Promise<void> {
    const { sound } = PROMPTS[prompt];
    const said = await eventually(
      () => this.said(),
      (all) => all.indexOf(sound, this.#heard) >= 0,
      bound,
    );
    this.#heard = said.indexOf(sound, this.#heard) + 1;
  }

  /** Waits until the call is over. */
  async ended(bound = SOON): Promise<void> {
    await eventually(
      () => this.tell<{ state: string }>('heard'),
      ({ state }) => state === 'ended',
      bound,
    );
  }

  async hangUp(): Promise<void> {
    if (this.#hasCalled) await this.tell('hangUp');
  }
}

/** Skips a test where there is no Asterisk. */
export function needsAsterisk(context: TestContext): void {
  if (folder === undefined) context.skip(reason);
}
