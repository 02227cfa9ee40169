import { setTimeout as sleep } from 'node:timers/promises';
import type { GrantJson, LabDaemon } from './daemon.js';
import { mustRun } from './host.js';
import { type Lab, steps } from './lab.js';

/** How many knocks are under way at once. */
const KNOCKERS = 4;
export const SHORT_TTL_S = 3;
export const FEW = 5;
const MOST_ADDRESSES = 1000;
/** So many guests have ports of their own; later ones take those of the first, who have long gone. */
const GUEST_SEQUENCES = 400;

/** Users whose grants outlast the test, one whose grants end in it, and one whose oldest address gives way. */
const USERS = [
  { name: 'long1', knock: 'udp/21010,udp/23010,udp/22010', ttl: '4h', max_addresses: MOST_ADDRESSES },
  { name: 'long2', knock: 'udp/21110,udp/23110,udp/22110', ttl: '4h', max_addresses: MOST_ADDRESSES },
  { name: 'short', knock: 'udp/21210,udp/23210,udp/22210', ttl: `${SHORT_TTL_S}s`, max_addresses: MOST_ADDRESSES },
  { name: 'few', knock: 'udp/21310,udp/23310,udp/22310', ttl: '4h', max_addresses: FEW },
] as const;

/** What a daemon has acknowledged at some moment: it must hold after every crash that comes later. */
export interface Acknowledged {
  /** Addresses that were let in for long, and the user or null. */
  readonly open: ReadonlyMap<string, string | null>;
  readonly revoked: ReadonlySet<string>;
  readonly users: ReadonlySet<string>;
  readonly removed: ReadonlySet<string>;
}

/**
 * Knocks from ever new addresses, operators who let addresses in and put them out, users who come and go: all without a
 * pause, whether the daemon lives or not, and with account kept of what it has acknowledged.
 */
export class CrashLoad {
  /** Addresses that were seen to be open after their knock. */
  readonly knocked: string[] = [];
  /** Addresses whose `allow` was answered with success. */
  readonly allowed: string[] = [];
  readonly userOf = new Map<string, string>();
  readonly #lab: Lab;
  readonly #daemon: LabDaemon;
  readonly #random: () => number;
  readonly #open = new Map<string, string | null>();
  readonly #revoked = new Set<string>();
  /** Asked to be put out, whatever came of it. */
  readonly #leaving = new Set<string>();
  readonly #users = new Set<string>();
  readonly #removed = new Set<string>();
  #count = 0;
  #guests = 0;
  #isOn = false;
  #running: Promise<void>[] = [];

  constructor(lab: Lab, daemon: LabDaemon, random: () => number) {
    this.#lab = lab;
    this.#daemon = daemon;
    this.#random = random;
  }

  /** Routes, a port to knock for, and the users who stay. */
  async prepare(): Promise<void> {
    const { laptop, gateway } = this.#lab;
    // The laptop answers for all of 10.88.0.0/16 (AnyIP), so it can knock from any address of it.
    await mustRun('ip', `-n ${laptop.namespace} route add local 10.88.0.0/16 dev lo`.split(' '));
    await mustRun('ip', `-n ${gateway.namespace} route add 10.88.0.0/16 via ${laptop.ipv4}`.split(' '));
    await gateway.tell('listenTcp', { port: 22 });
    for (const { name, ...options } of USERS) {
      await this.#daemon.addUser(name, { ...options, services: ['ssh'] });
      this.#users.add(name);
    }
  }

  start(): void {
    this.#isOn = true;
    this.#running = [
      ...Array.from({ length: KNOCKERS }, () => this.#repeat(() => this.#knockAsUser())),
      this.#repeat(() => this.#allow()),
      this.#repeat(() => this.#receiveGuest()),
    ];
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#running);
  }

  /** What has been acknowledged by now. */
  acknowledged(): Acknowledged {
    return {
      open: new Map(this.#open),
      revoked: new Set(this.#revoked),
      users: new Set(this.#users),
      removed: new Set(this.#removed),
    };
  }

  /**
   * What was promised before and does not hold in what the daemon shows now, in words. An address may be missing where its
   * user has as many others as he may have, or where an operator asked meanwhile that it be put out.
   */
  broken(before: Acknowledged, grants: readonly GrantJson[], users: readonly string[]): string[] {
    const found: string[] = [];
    const open = new Set(grants.map(({ address }) => address));
    for (const [address, user] of before.open) {
      if (open.has(address) || this.#leaving.has(address)) continue;
      const most = user === 'few' ? FEW : MOST_ADDRESSES;
      const others = grants.filter((grant) => grant.user === user).length;
      if (user === null || others < most) found.push(`${address} of ${user} was acknowledged, and is lost`);
    }
    for (const address of before.revoked) if (open.has(address)) found.push(`${address} was put out, and is back`);
    const there = new Set(users);
    for (const name of before.users) {
      if (!there.has(name) && this.#users.has(name)) found.push(`the user ${name} was added, and is lost`);
    }
    for (const name of before.removed) if (there.has(name)) found.push(`the user ${name} was removed, and is back`);
    return found;
  }

  async #repeat(task: () => Promise<void>): Promise<void> {
    while (this.#isOn) await task();
  }

  async #knockAsUser(): Promise<void> {
    const user = USERS[Math.floor(this.#random() * USERS.length)] ?? USERS[0];
    const source = await this.#knock(user.name, user.knock);
    if (source === undefined) return;
    this.knocked.push(source);
    if (user.name !== 'short') this.#open.set(source, user.name);
  }

  /** The address from which it was seen to open; undefined where it was not. */
  async #knock(user: string, knock: string): Promise<string | undefined> {
    const source = this.#nextAddress('10.88');
    this.userOf.set(source, user);
    const options = { address: this.#lab.gateway.ipv4, knocks: steps(knock), source, port: 22 };
    return (await this.#lab.laptop.tell<boolean>('knockAndTry', options)) ? source : undefined;
  }

  /** Lets an address in, and puts one in four out again. */
  async #allow(): Promise<void> {
    const target = this.#nextAddress('10.89');
    const answer = await this.#ask('POST', '/v1/allow', { target, for: '4h', services: ['ssh'] });
    if (answer?.status === 200) {
      this.allowed.push(target);
      this.#open.set(target, null);
      if (this.#random() < 0.25) await this.#revoke(target);
    }
    await sleep(answer === undefined ? 50 : 10);
  }

  async #revoke(target: string): Promise<void> {
    this.#leaving.add(target);
    const answer = await this.#ask<{ recorded: boolean }>('POST', '/v1/revoke', { what: target });
    if (answer?.status !== 200) return;
    // One that is not on the disk yet is said to be so, and a crash may undo it.
    if (answer.body.recorded) this.#revoked.add(target);
  }

  /** Somebody is added, gets in, and is removed. */
  async #receiveGuest(): Promise<void> {
    const n = this.#guests++;
    const name = `guest${n}`;
    const [a, b, c] = [24_001, 27_001, 25_001].map((first) => first + 2 * (n % GUEST_SEQUENCES));
    const knock = `udp/${a},udp/${b},udp/${c}`;
    const added = await this.#ask('POST', '/v1/users', { name, knock, services: ['ssh'], ttl: '4h' });
    if (added?.status !== 200) {
      await sleep(50);
      // It may be there all the same: then its ports are free again only when it is gone.
      if (added === undefined) await this.#remove(name);
      return;
    }
    this.#users.add(name);
    const source = await this.#knock(name, knock);
    if (source !== undefined) this.knocked.push(source);
    await this.#remove(name);
  }

  /** Removes a user, and his grants with him; asks until there is an answer. */
  async #remove(name: string): Promise<void> {
    this.#users.delete(name);
    for (;;) {
      const answer = await this.#ask('DELETE', `/v1/users/${name}`);
      if (answer?.status === 200 || answer?.status === 404) break;
      if (!this.#isOn && answer === undefined) return;
      await sleep(50);
    }
    this.#removed.add(name);
    for (const [address, user] of this.userOf) if (user === name) this.#revoked.add(address);
  }

  /** Undefined where there was no answer. */
  async #ask<T>(method: string, path: string, body?: object): Promise<{ status: number; body: T } | undefined> {
    return await this.#daemon.api<T>(method, path, body).catch(() => undefined);
  }

  #nextAddress(network: string): string {
    const n = ++this.#count;
    return `${network}.${n >> 8}.${n & 255}`;
  }
}
