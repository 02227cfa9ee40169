import { CallbackMenu } from '../../src/core/phone/callback-menu.ts';
import type { PhoneNumber, Sound } from '../../src/core/phone/link.ts';
import { Menu } from '../../src/core/phone/menu.ts';
import { PinGuard } from '../../src/core/phone/pin-guard.ts';
import { hours } from '../../src/core/time.ts';
import type { User } from '../../src/core/user.ts';
import { PhoneDesk } from '../../src/gate/phone-desk.ts';
import { PinDesk } from '../../src/gate/pin-desk.ts';
import { FakePbx } from './fake-pbx.ts';
import { gateRig, person, type RigOptions } from './gate-rig.ts';
import { words } from './phone-caller.ts';

/** What is kept of a PIN here. */
export const kept = (pin: string) => `kept:${pin}`;

export const PIN = '483921';
export const CARL = person(3, 'carl', { account: '1001', pinHash: kept(PIN) });
export const DORA = person(4, 'dora', { account: '1002', pinHash: kept('271828'), approval: 'phone' });
export const ERIK = person(5, 'erik', {
  account: '1003',
  pinHash: kept('951413'),
  approval: 'callback',
  number: '15550100' as PhoneNumber,
});

/** The gate with a telephone, over a kernel, a store and a PBX that are not there. */
export function phoneRig({ users = [CARL, DORA, ERIK], ...options }: RigOptions = {}) {
  const gate = gateRig({ users, ...options });
  const { clock, recorder, log, claimDesk } = gate;
  const pbx = new FakePbx(() => gate.settle());
  /** What a PIN waits for before it is looked at, and whether any is right. */
  const scrypt = { held: Promise.resolve(), tries: 0, isRight: false };
  const pins = new PinDesk({
    guard: new PinGuard({ clock }),
    isPin: async (pin, hash) => {
      scrypt.tries++;
      await scrypt.held;
      return scrypt.isRight || hash === kept(pin);
    },
    ...{ recorder, clock, log },
  });
  const desk = new PhoneDesk({
    ...gate,
    pins,
    defaultTtl: hours(1),
    maxTtl: hours(12),
    link: pbx,
    newMenu: (about) => new Menu(about),
    newCallbackMenu: (about) => new CallbackMenu(about),
    soundsOf: (prompts) => [words(prompts) as Sound],
  });
  claimDesk.watch((user, claim) => desk.callBack(user, claim));
  return {
    ...gate,
    ...{ pbx, pins, desk, scrypt },
    start: async () => {
      await gate.start();
      await desk.start();
      await gate.settle();
    },
    /** Puts a user in place of the one of the same name. */
    change: (user: User) => void gate.people.take(user),
  };
}

export type PhoneRig = ReturnType<typeof phoneRig>;
