import type { PhoneLink } from './core/phone/link.js';

/** The link to the PBX that the configuration names. */
export function openPhoneLink(): PhoneLink {
  return {
    start: async () => undefined,
    play: () => undefined,
    hangUp: () => undefined,
    ring: () => undefined,
    health: () => ({ state: 'off', detail: 'no driver is built in', calls: 0 }),
    stop: async () => undefined,
  };
}
