import type { PortRange } from '../ports.js';
import { type Duration, humanDuration, seconds } from '../time.js';
import { portsText } from './iptables.js';
import { type Reading, ReadingBuilder, type Verdict } from './reading.js';
import { safeUserName } from './user-name.js';
import { linesOf, readPorts, shown } from './words.js';

/** A stanza while it is read. */
interface Stanza {
  readonly line: number;
  readonly number: number;
  /** Undefined where they cannot be read; null where none are named. */
  ports: readonly PortRange[] | null | undefined;
  timeout: Duration;
  username: string;
}

/** What fwknopd does where FW_ACCESS_TIMEOUT is left out. */
const USUAL_TIMEOUT = seconds(30);

const KEYS = /^(KEY|KEY_BASE64|HMAC_KEY|HMAC_KEY_BASE64|HMAC_DIGEST_TYPE|ENCRYPTION_MODE|GPG_[A-Z_]+)$/;
const COMMANDS = /^(ENABLE_CMD_|CMD_)[A-Z_]+$/;
const NAT = /^(FORCE_NAT|FORCE_SNAT|FORCE_MASQUERADE|DISABLE_DNAT|FORWARD_ALL|NAT_[A-Z_]+)$/;

/** Reads access.conf of fwknopd: each stanza is a user who knocks. Nothing of a key is in any word. */
export function readFwknop(text: string): Reading {
  const out = new ReadingBuilder();
  let stanza: Stanza | null = null;
  let count = 0;
  for (const [index, raw] of linesOf(text).entries()) {
    const [line, trimmed] = [index + 1, raw.trim()];
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const [, key = '', value = ''] = /^([%A-Za-z_0-9]+):?\s*(.*?)\s*;?$/.exec(trimmed) ?? [];
    const name = key.toUpperCase();
    if (name === 'SOURCE') {
      if (stanza !== null) finish(stanza, out);
      stanza = { line, number: ++count, ports: null, timeout: USUAL_TIMEOUT, username: '' };
      if (value.toUpperCase() !== 'ANY')
        out.say(line, 'not_taken', 'it takes packets from these sources alone; a knock counts from anywhere');
    } else if (name.startsWith('%INCLUDE')) out.say(line, 'not_taken', 'another file: give that to import, too');
    else if (stanza === null) out.say(line, 'not_understood', 'no setting of access.conf that is known here');
    else out.say(line, ...readSetting(stanza, name, value));
  }
  if (stanza !== null) finish(stanza, out);
  return out.done();
}

function readSetting(stanza: Stanza, name: string, value: string): readonly [Verdict, string] {
  if (KEYS.test(name))
    return ['not_taken', 'keys of single packets are not taken over: the user gets ports to knock on'];
  if (COMMANDS.test(name)) return ['not_taken', 'a knock runs no commands'];
  if (NAT.test(name)) return ['not_taken', 'a knock opens services; it redirects nothing'];
  switch (name) {
    case 'OPEN_PORTS':
      stanza.ports = readOpenPorts(value);
      if (stanza.ports === undefined) return ['not_understood', 'ports that cannot be read'];
      return ['taken', `it opens ${portsText(stanza.ports)}`];
    case 'FW_ACCESS_TIMEOUT':
      if (!/^[1-9]\d{0,7}$/.test(value)) return ['not_understood', 'a time that cannot be read'];
      stanza.timeout = seconds(Number(value));
      return ['taken', `it closes after ${humanDuration(stanza.timeout)}`];
    case 'REQUIRE_USERNAME':
      stanza.username = value;
      return ['taken', `the name ${shown(value, 32)}`];
    case 'REQUIRE_SOURCE_ADDRESS':
      return ['not_needed', 'a knock opens for the address that it came from, and for no other'];
    case 'MAX_FW_TIMEOUT':
      return ['not_needed', 'who knocks does not choose the time; grants.max_ttl bounds it'];
    case 'RESTRICT_PORTS':
      return ['not_needed', 'a knock opens services, and never another port'];
    case 'DESTINATION':
      return ['not_taken', 'knocks count for every address of this machine'];
    case 'ACCESS_EXPIRE':
    case 'ACCESS_EXPIRE_EPOCH':
      return ['not_taken', 'users have no last day: sallyport user remove, when it comes'];
    default:
      return ['not_understood', 'no setting of access.conf that is known here'];
  }
}

function readOpenPorts(text: string): readonly PortRange[] | undefined {
  const found = text.split(',').map((item) => {
    const [, protocol, port = ''] = /^(tcp|udp)\/(\d{1,5})$/i.exec(item.trim()) ?? [];
    return protocol === undefined ? undefined : readPorts(port, protocol.toLowerCase() as PortRange['protocol']);
  });
  return found.includes(undefined) ? undefined : found.flatMap((ports) => ports ?? []);
}

function finish({ line, number, ports, timeout, username }: Stanza, out: ReadingBuilder): void {
  if (ports === undefined) {
    out.say(line, 'not_understood', 'what it opens cannot be told, so no user is made: sallyport user add');
    return;
  }
  const name = safeUserName(username, `fwknop-${number}`);
  const noSequence = 'fwknop has single packets';
  out.user({ line, name, ports, ttl: timeout, sequence: null, noSequence });
}
