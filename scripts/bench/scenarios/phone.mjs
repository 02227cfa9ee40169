/**
 * From the last digit of a call to the port open: a real Asterisk beside the gateway, led by ARI and by AMI in turns.
 *
 *   phone ── SIP, RTP ──▶ Asterisk ── ARI or AMI ──▶ gateway ──▶ packet filter
 *     └───── probes ────────────────────────────────────────────▶ guarded port
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AsteriskServer } from '../../lib/asterisk-server.mjs';
import { at } from '../../lib/checkout.mjs';
import { GatewayProcess } from '../../lib/gateway.mjs';
import { Wire } from '../../lib/namespaces.mjs';
import { startEcho, startProber } from '../load/machines.mjs';
import { phoneResult, sinceRelease } from '../phone-result.mjs';

const PORT = 1194;
const PROBE_PAUSE_US = 25;
/** Longer than the sentence before the address: a key that came too early may be pressed again. */
const BOUND_MS = 3000;
const MOST_PRESSES = 3;
/** What is dialled to be led by a driver, and how the gateway logs in for it. */
const DRIVERS = {
  ari: { extension: '864', login: 'ari', secret: 'password_file' },
  ami: { extension: '865', login: 'ami', secret: 'secret_file' },
};
const LINES = ['1001', '1002', '1003'];
const PASSWORD = 'phone-secret';
const [ACCOUNT, PIN] = ['5150', '483921'];
const BLOCKS = { whole: 3, quick: 1 };
/** Of each driver in a block; each is a call on every line. */
const BATCHES = 4;
/** The sentence before the address has to be heard to its end: it lasts two seconds, after the log-in. */
const SENTENCE_MS = 3300;
/** The prober asks for so long before the key is pressed: what it finds open, it has found shut. */
const LEAD_MS = 50;
const CONNECTED_BOUND_MS = 15_000;
const GREETING_BOUND_MS = 10_000;

export const scenario = {
  id: 'phone',
  title: 'From the last digit of a call to the port open',
  minutes: 3,
  needsAsterisk: true,
  async run({ quick, progress, asterisk, directory }) {
    if (asterisk?.folder === undefined) return phoneResult({ ari: [], ami: [] });
    const wire = Wire.create('spphone', ['gateway', 'phone']);
    const pbx = new AsteriskServer(pbxOptions(asterisk.folder, wire.machines[0], directory));
    // What ends this process ends it, too: it is no program of the wire's.
    process.on('exit', () => void pbx.kill());
    try {
      await pbx.start();
      return await new Calls(wire, { pbx, quick, progress, directory }).run();
    } finally {
      await pbx.kill();
      wire.remove();
    }
  },
};

function pbxOptions(folder, { namespace, address }, directory) {
  // It does not run as root, and its own folder lies below.
  chmodSync(directory, 0o711);
  const sounds = { sallyport: at('dialplan', 'sounds', 'en', 'sallyport') };
  const phones = LINES.map((name) => ({ name, password: PASSWORD }));
  return { folder, directory: join(directory, 'pbx'), namespace, address, phones, sounds };
}

class Calls {
  #gateway;
  #phone;
  #pbx;
  #directory;
  #progress;
  #blocks;
  #prober;
  #daemons = {};
  #found = { ari: [], ami: [] };

  constructor(wire, { pbx, quick, progress, directory }) {
    [this.#gateway, this.#phone] = wire.machines;
    this.#pbx = pbx;
    this.#directory = directory;
    this.#progress = progress;
    this.#blocks = quick ? BLOCKS.quick : BLOCKS.whole;
  }

  async run() {
    await this.#prepare();
    for (let block = 1; block <= this.#blocks; block++) {
      for (const driver of Object.keys(DRIVERS)) {
        this.#progress.part(`block ${block} of ${this.#blocks}, ${driver.toUpperCase()}`);
        await this.#block(driver);
      }
    }
    this.#mustBeSilent();
    return phoneResult(this.#found);
  }

  async #prepare() {
    await startEcho(this.#gateway, PORT);
    this.#prober = startProber(this.#phone);
    // Nothing is guarded yet. Its code is compiled before anything counts.
    for (let n = 0; n < 20; n++) await this.#asked();
    for (const [driver, { login, secret }] of Object.entries(DRIVERS)) {
      const folder = join(this.#directory, driver);
      mkdirSync(folder);
      const file = join(folder, 'secret');
      writeFileSync(file, `${login}-secret\n`, { mode: 0o600 });
      const config = `services: {vpn: [udp/${PORT}]}\nphone: {driver: ${driver}, ${login}: {${secret}: ${file}}}`;
      this.#daemons[driver] = new GatewayProcess(this.#gateway, folder, config);
    }
    for (const name of LINES) {
      const place = { server: this.#gateway.address, local: this.#phone.address };
      await this.#sip(name, 'open', { ...place, user: name, password: PASSWORD });
    }
  }

  async #block(driver) {
    const daemon = this.#daemons[driver];
    await daemon.start();
    if (this.#found[driver].length === 0) {
      await daemon.api('POST', '/v1/users', { name: 'alice', account: ACCOUNT, pin: PIN });
      await daemon.api('POST', '/v1/firewall/confirm');
    }
    await this.#connected(daemon);
    for (const name of LINES) {
      const status = await this.#sip(name, 'register');
      if (status !== 200) throw new Error(`telephone ${name} could not register: ${status}`);
    }
    for (let n = 1; n <= BATCHES; n++) {
      await this.#batch(driver, daemon);
      this.#progress.step(n, BATCHES);
    }
    await daemon.end();
    await this.#gateway.mustRun('nft', ['delete table inet sallyport']);
  }

  async #connected(daemon) {
    const end = performance.now() + CONNECTED_BOUND_MS;
    while ((await daemon.api('GET', '/v1/status')).parts.phone.state !== 'connected') {
      if (performance.now() > end) throw new Error(`the gateway does not reach Asterisk:\n${daemon.log}`);
      await sleep(50);
    }
  }

  /** A call on every line up to the read-back, and then one confirmation after the other. */
  async #batch(driver, daemon) {
    await Promise.all(LINES.map((name) => this.#dial(name, DRIVERS[driver].extension)));
    await sleep(SENTENCE_MS);
    for (const name of LINES) {
      const call = await this.#confirmed(name);
      this.#found[driver].push(call);
      if (call.opened !== null) await daemon.api('POST', '/v1/revoke', { what: this.#phone.address });
      await this.#sip(name, 'hangUp');
    }
  }

  /** Dials, waits for the question as a person does, and presses all that leads to the read-back. */
  async #dial(name, extension) {
    await this.#sip(name, 'call', { number: extension });
    const end = performance.now() + GREETING_BOUND_MS;
    while ((await this.#sip(name, 'heard')).heard === 0) {
      if (performance.now() > end) throw new Error(`nobody speaks to telephone ${name}`);
      await sleep(20);
    }
    await this.#sip(name, 'press', { digits: `${ACCOUNT}#${PIN}#4` });
  }

  /** @returns {Promise<import('../phone-result.mjs').PhoneCall>} */
  async #confirmed(name) {
    for (let presses = 1; ; presses++) {
      const asked = this.#asked();
      await sleep(LEAD_MS);
      const [released, found] = await Promise.all([this.#sip(name, 'press', { digits: '1' }), asked]);
      const opened = sinceRelease(found, released);
      if (opened !== null || presses === MOST_PRESSES) return { opened, unsure: found.unsure, presses };
    }
  }

  #asked() {
    const [source, target] = [this.#phone.address, this.#gateway.address];
    return this.#prober.askOnce({
      source,
      target,
      knocks: [],
      port: PORT,
      gap: 0,
      pause: PROBE_PAUSE_US,
      bound: BOUND_MS,
    });
  }

  #sip(name, does, options = {}) {
    return this.#phone.tell('sip', { does, name, ...options });
  }

  /** What is measured must be what may run: no log has a digit of the PIN's. */
  #mustBeSilent() {
    const logs = [...Object.values(this.#daemons).map(({ log }) => log), this.#pbx.logs, this.#pbx.output];
    if (logs.some((log) => log.includes(PIN))) throw new Error('a log has the PIN');
  }
}
