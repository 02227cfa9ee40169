/** What a machine of the lab does on the telephone: phones by a name, one call each at a time. */
import { SipPhone } from './sip-phone.mjs';

const phones = new Map();
const calls = new Map();

export const sipCommands = {
  /** @param {{name: string} & ConstructorParameters<typeof SipPhone>[0]} options */
  async open({ name, ...options }) {
    const phone = new SipPhone(options);
    await phone.open();
    phones.set(name, phone);
    return phone.port;
  },
  register({ name, seconds }) {
    return phones.get(name).register(seconds);
  },
  whenCalled({ name, what }) {
    phones.get(name).whenCalled(what);
  },
  /** Resolves when the call is answered. */
  async call({ name, number, as }) {
    const call = phones.get(name).call(number, as === undefined ? {} : { name: as });
    calls.set(name, call);
    await call.answered;
  },
  /** Resolves when a call has come, with what it says of its caller. */
  async nextCall({ name }) {
    const call = await phones.get(name).nextCall();
    calls.set(name, call);
    return call.from;
  },
  press({ name, digits, ...times }) {
    return calls.get(name).press(digits, times);
  },
  async hangUp({ name }) {
    await calls.get(name)?.hangUp();
  },
  pickUp({ name }) {
    return calls.get(name).pickUp();
  },
  /** Resolves when the call is over, with who ended it. */
  ended({ name }) {
    return calls.get(name).ended;
  },
  async heard({ name }) {
    const { state, received, heard, said } = calls.get(name);
    return { state, received, heard, said };
  },
  async close({ name }) {
    phones.get(name)?.close();
    phones.delete(name);
  },
};
