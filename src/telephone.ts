import type { Config } from './config/config.js';
import { CallbackMenu } from './core/phone/callback-menu.js';
import type { PhoneHealth } from './core/phone/link.js';
import { Menu } from './core/phone/menu.js';
import { PinGuard } from './core/phone/pin-guard.js';
import { soundsOf } from './core/phone/prompts.js';
import type { User } from './core/user.js';
import type { ClaimDesk } from './gate/claim-desk.js';
import type { Log } from './gate/log.js';
import type { ClerkOptions } from './gate/phone-clerk.js';
import { PhoneDesk } from './gate/phone-desk.js';
import { isPin } from './gate/pin.js';
import { PinDesk } from './gate/pin-desk.js';
import { PhoneThread } from './phone/phone-thread.js';

export interface TelephoneOptions extends Omit<ClerkOptions, 'pins' | 'defaultTtl' | 'maxTtl'> {
  readonly config: Config;
  readonly claimDesk: ClaimDesk;
}

/** The telephone as a whole: the link to the PBX, the menus, and the desk that answers. */
export class Telephone {
  readonly #pins: PinDesk;
  readonly #desk: PhoneDesk;
  readonly #log: Log;

  constructor({ config, claimDesk, ...options }: TelephoneOptions) {
    const { recorder, clock, log } = options;
    this.#log = log;
    this.#pins = new PinDesk({ guard: new PinGuard({ clock }), isPin, recorder, clock, log });
    this.#desk = new PhoneDesk({
      ...options,
      pins: this.#pins,
      defaultTtl: config.grants.ttl,
      maxTtl: config.grants.maxTtl,
      link: new PhoneThread(config.phone),
      newMenu: (about) => new Menu(about),
      newCallbackMenu: (about) => new CallbackMenu(about),
      soundsOf: (prompts) => soundsOf(prompts),
    });
    claimDesk.watch((user, claim) => this.#desk.callBack(user, claim));
  }

  /** Never fails for want of a PBX: that is tried again and again, and `status` says how it stands. */
  start(): void {
    this.#desk.start().catch((error) => this.#log.error({ err: error }, 'the telephone does not work'));
  }

  async stop(): Promise<void> {
    await this.#desk.stop();
  }

  health(): PhoneHealth {
    return this.#desk.health();
  }

  /** A user's PIN is new. */
  forgive(user: User): void {
    this.#pins.forgive(user);
  }
}
