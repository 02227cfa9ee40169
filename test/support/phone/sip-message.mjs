/** SIP messages as text (RFC 3261) and the answer to a digest challenge (RFC 2617, MD5, qop=auth). */
import { createHash, randomBytes } from 'node:crypto';

const COMPACT = { v: 'via', f: 'from', t: 'to', i: 'call-id', m: 'contact', l: 'content-length', c: 'content-type' };

/**
 * Reads a message; undefined where it is none.
 * @returns {{method?: string, status?: number, first: string, headers: [name: string, value: string][], body: string} | undefined}
 */
export function parseSip(text) {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first, ...rest] = text.slice(0, end).split('\r\n');
  const headers = rest.map((line) => {
    const at = line.indexOf(':');
    const name = line.slice(0, at).trim().toLowerCase();
    return [COMPACT[name] ?? name, line.slice(at + 1).trim()];
  });
  const body = text.slice(end + 4);
  const answer = /^SIP\/2\.0 (\d{3})/.exec(first);
  if (answer) return { status: Number(answer[1]), first, headers, body };
  return { method: first.split(' ')[0], first, headers, body };
}

/** The first header of a name; empty where there is none. */
export function header(message, name) {
  return message.headers.find(([one]) => one === name)?.[1] ?? '';
}

export function headersNamed(message, name) {
  return message.headers.filter(([one]) => one === name).map(([, value]) => value);
}

/** The number and the method of a CSeq. */
export function cseq(message) {
  const [number, method] = header(message, 'cseq').split(/\s+/);
  return { number: Number(number), method };
}

export function uriIn(value) {
  return /<([^>]+)>/.exec(value)?.[1] ?? value.split(';')[0];
}

/** @param {[name: string, value: string][]} headers */
export function formatSip(first, headers, body = '', type = 'application/sdp') {
  const all = [
    ...headers,
    ...(body === '' ? [] : [['Content-Type', type]]),
    ['Content-Length', Buffer.byteLength(body)],
  ];
  return `${first}\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
}

export function token(bytes = 8) {
  return randomBytes(bytes).toString('hex');
}

/** The header that answers a 401 or a 407. */
export function authorization(challenge, { method, uri, user, password }) {
  const offers = challenge.headers.filter(([name]) => name === 'www-authenticate' || name === 'proxy-authenticate');
  const [name, value] = offers.find(([, text]) => /algorithm="?MD5"?/i.test(text) || !/algorithm/i.test(text)) ?? [
    '',
    '',
  ];
  const part = (key) => new RegExp(`${key}="?([^",]+)"?`, 'i').exec(value)?.[1] ?? '';
  const [realm, nonce, opaque, cnonce] = [part('realm'), part('nonce'), part('opaque'), token()];
  const md5 = (text) => createHash('md5').update(text).digest('hex');
  const ha1 = md5(`${user}:${realm}:${password}`);
  const ha2 = md5(`${method}:${uri}`);
  const hasQop = /qop=/i.test(value);
  const response = hasQop ? md5(`${ha1}:${nonce}:00000001:${cnonce}:auth:${ha2}`) : md5(`${ha1}:${nonce}:${ha2}`);
  const fields = [
    `username="${user}"`,
    `realm="${realm}"`,
    `nonce="${nonce}"`,
    `uri="${uri}"`,
    `response="${response}"`,
  ];
  fields.push('algorithm=MD5');
  if (hasQop) fields.push('qop=auth', 'nc=00000001', `cnonce="${cnonce}"`);
  if (opaque !== '') fields.push(`opaque="${opaque}"`);
  return [name === 'proxy-authenticate' ? 'Proxy-Authorization' : 'Authorization', `Digest ${fields.join(', ')}`];
}
