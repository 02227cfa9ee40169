/** A real Asterisk with telephones, and a link to it that writes down what it tells. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  Authorization,
  Call,
  CallId,
  Digit,
  PhoneHandlers,
  PhoneHealth,
  RingFailure,
  Sound,
} from '#dist/core/phone/link.js';
import { PhoneThread } from '#dist/phone/phone-thread.js';
import { type AsteriskOptions, AsteriskServer } from '../../../scripts/lib/asterisk-server.mjs';
import { eventually } from '../lab/lab.js';
import { asteriskFolder } from './asterisk.js';
import { freePorts } from './ports.js';
import { type SipCall, SipPhone } from './sip-phone.mjs';

export type Driver = 'ari' | 'ami';

/** What is dialled to be led by a driver. */
const EXTENSION = { ari: '864', ami: '865' } as const;
type Ports = Awaited<ReturnType<typeof freePorts>>;

const PASSWORD = 'phone-secret';

export class Pbx {
  readonly directory: string;
  readonly asterisk: AsteriskServer;
  readonly #ports: Ports;
  readonly #phones: SipPhone[] = [];
  readonly #links: PhoneThread[] = [];

  /** Starts Asterisk; undefined where it is not there. */
  static async start(options: Partial<AsteriskOptions> = {}): Promise<Pbx | undefined> {
    const { folder } = asteriskFolder();
    if (folder === undefined) return undefined;
    const directory = await mkdtemp(join(tmpdir(), 'sallyport-pbx-'));
    // Asterisk does not run as root, and its own folder lies below.
    await chmod(directory, 0o711);
    const ports = await freePorts();
    const asterisk = new AsteriskServer({ folder, directory: join(directory, 'a'), ...ports, ...options });
    const pbx = new Pbx(directory, asterisk, ports);
    try {
      await pbx.writePassword('ari', 'ari-secret');
      await pbx.writePassword('ami', 'ami-secret');
      await pbx.asterisk.start();
      return pbx;
    } catch (error) {
      await pbx.remove();
      throw error;
    }
  }

  private constructor(directory: string, asterisk: AsteriskServer, ports: Ports) {
    this.directory = directory;
    this.#ports = ports;
    this.asterisk = asterisk;
  }

  writePassword(driver: Driver, password: string): Promise<void> {
    return writeFile(join(this.directory, `${driver}.secret`), `${password}\n`, { mode: 0o600 });
  }

  /** What the configuration of a link to it says. */
  config(driver: Driver) {
    const [ari, ami] = ['ari', 'ami'].map((name) => join(this.directory, `${name}.secret`)) as [string, string];
    return {
      driver,
      ari: {
        url: `http://127.0.0.1:${this.#ports.httpPort}`,
        app: 'sallyport',
        username: 'sallyport',
        passwordFile: ari,
      },
      ami: { host: '127.0.0.1', port: this.#ports.amiPort, username: 'sallyport', secretFile: ami, userEvents: false },
    };
  }

  /** A link that is connected. */
  async link(driver: Driver): Promise<Told> {
    const told = new Told(this.thread(driver), EXTENSION[driver]);
    await told.start();
    await told.becomes('connected');
    return told;
  }

  /** A link that was not started yet. */
  thread(driver: Driver, change: object = {}): PhoneThread {
    const thread = new PhoneThread({ ...this.config(driver), ...change });
    this.#links.push(thread);
    return thread;
  }

  /** A telephone that has registered. */
  async phone(
    user = '1001',
    options: { readonly local?: string; readonly register?: boolean } = {},
  ): Promise<SipPhone> {
    const { local = '127.0.0.1' } = options;
    const phone = new SipPhone({
      local,
      server: '127.0.0.1',
      serverPort: this.#ports.sipPort,
      user,
      password: PASSWORD,
    });
    this.#phones.push(phone);
    await phone.open();
    if (options.register !== false) await phone.register();
    return phone;
  }

  /** Ends the links and the telephones of one test. */
  async clear(): Promise<void> {
    for (const link of this.#links.splice(0)) await link.stop();
    for (const phone of this.#phones.splice(0)) phone.close();
  }

  async remove(): Promise<void> {
    await this.clear();
    await this.asterisk.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** A link, and everything that it told. */
export class Told implements PhoneHandlers {
  readonly link: PhoneThread;
  readonly extension: string;
  readonly calls: Call[] = [];
  readonly hungUp: CallId[] = [];
  readonly rings: [ring: string, why: RingFailure][] = [];
  readonly played: [call: CallId, turn: number][] = [];
  readonly authorizations: Authorization[] = [];
  readonly #digits = new Map<CallId, Digit[]>();
  #turn = 0;
  /** What each call hears as it begins. */
  greeting: readonly string[] = [];

  constructor(link: PhoneThread, extension: string) {
    this.link = link;
    this.extension = extension;
  }

  start(): Promise<void> {
    return this.link.start(this);
  }

  onCall(call: Call): void {
    this.calls.push(call);
    if (this.greeting.length > 0) this.play(call.id, ...this.greeting);
  }

  onDigit(call: CallId, digit: Digit): void {
    this.#digits.set(call, [...(this.#digits.get(call) ?? []), digit]);
  }

  onPlayed(call: CallId, turn: number): void {
    this.played.push([call, turn]);
  }

  onHangUp(call: CallId): void {
    this.hungUp.push(call);
  }

  onRingFailed(ring: string, why: RingFailure): void {
    this.rings.push([ring, why]);
  }

  onAuthorize(authorization: Authorization): void {
    this.authorizations.push(authorization);
  }

  /** Plays, and gives the turn. */
  play(call: CallId, ...sounds: string[]): number {
    this.link.play(call, ++this.#turn, sounds as Sound[]);
    return this.#turn;
  }

  digits(call: CallId): string {
    return (this.#digits.get(call) ?? []).join('');
  }

  /** Calls, and waits until the link knows of it. */
  async ring(phone: SipPhone, options: { readonly name?: string } = {}): Promise<{ call: Call; voice: SipCall }> {
    const known = this.calls.length;
    const voice = phone.call(this.extension, options);
    await voice.answered;
    await eventually(
      () => this.calls.length,
      (count) => count > known,
    );
    return { call: this.calls[known] as Call, voice };
  }

  async becomes(state: PhoneHealth['state'], bound = 10_000): Promise<void> {
    await eventually(
      () => this.link.health(),
      (health) => health.state === state,
      bound,
    );
  }
}
