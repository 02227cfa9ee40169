import { type Address, parseAddress } from '../core/address.js';

/** Reads a variable or a function of one channel; rejects or gives nothing where there is none. */
export type ReadVariable = (name: string) => Promise<string | null>;

const MOST_CONTACTS = 10;
const NAME = /^[\w.+@-]{1,80}$/;
/** Asterisk names a contact after its AOR and the hash of its URI. */
const CONTACT = /^[\w.+@-]{1,80};@[0-9a-f]+$/;

/**
 * Where a registered softphone talks from; null for any other caller.
 *
 * A trunk, and a proxy with many phones behind it, must not have its address let in. What tells a softphone from them are
 * facts of Asterisk alone: the channel is PJSIP's, its endpoint has a contact that was registered (it expires; a trunk's is
 * written in the configuration) and did not come by way of a proxy (no Path), and the call comes from that contact's address.
 */
export async function softphoneAddress(channel: string, readVariable: ReadVariable): Promise<Address | null> {
  const [, endpoint = ''] = /^PJSIP\/(.+)-[0-9a-f]{8}$/.exec(channel) ?? [];
  if (!NAME.test(endpoint)) return null;
  const read = async (name: string): Promise<string> => (await readVariable(name).catch(() => null)) ?? '';
  // What can be asked together is: over AMI each round has to wait for its turn.
  const [remote, aors] = await Promise.all(
    ['CHANNEL(pjsip,remote_addr)', `PJSIP_ENDPOINT(${endpoint},aors)`].map(read),
  );
  const address = addressOf(remote ?? '');
  if (address === null) return null;
  const isHere = async (contact: string): Promise<boolean> => {
    const fields = ['uri', 'expiration_time', 'path'].map((field) => read(`PJSIP_CONTACT(${contact},${field})`));
    const [uri = '', expires, path] = await Promise.all(fields);
    return hostOf(uri) === address && Number(expires) > 0 && path === '';
  };
  const contacts = await Promise.all(list(aors ?? '', NAME).map((aor) => read(`PJSIP_AOR(${aor},contact)`)));
  const found = await Promise.all(list(contacts.join(), CONTACT).map(isHere));
  return found.includes(true) ? address : null;
}

/** `192.0.2.1:5060` or `[2001:db8::1]:5060`, or without the port. */
export function addressOf(text: string): Address | null {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\](?::\d+)?|([^:]+)(?::\d+)?|[0-9a-fA-F:]+)$/.exec(text) ?? [];
  const host = (bracketed ?? plain ?? text).replace(/^::ffff:(?=\d+\.)/i, '');
  try {
    return parseAddress(host);
  } catch {
    return null;
  }
}

/** The address in `sip:1001@192.0.2.1:5060;transport=udp`. */
function hostOf(uri: string): Address | null {
  const [, host = ''] = /^sips?:(?:[^@]*@)?([^;?>]+)/i.exec(uri) ?? [];
  return addressOf(host);
}

function list(text: string, fits: RegExp): string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => fits.test(name))
    .slice(0, MOST_CONTACTS);
}
