import type { PhoneConfig } from '../config/config.js';
import { isLoopback } from './loopback.js';
import { PbxError } from './session.js';

const PATIENCE = 2500;

/**
 * Asks ARI whether it is there and takes our login, before the library does: that one hangs for ever on a reset, a silent
 * server or a page of HTML, and throws where nobody can catch it on a wrong password.
 * @throws PbxError
 */
export async function probeAri({ url, username }: PhoneConfig['ari'], password: string): Promise<void> {
  const base = originOf(url);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const { status, text } = await ask(`${base}/ari/asterisk/ping`, authorization);
  if (status === 401) throw refused(`ARI at ${base} does not take the user "${username}" with its password`);
  if (status === 404) throw unready(`there is no ARI at ${base}: see that http.conf and ari.conf are enabled`);
  if (status !== 200 || !isObject(text)) throw unready(`what answers at ${base} is not ARI (status ${status})`);
  const docs = await ask(`${base}/ari/api-docs/resources.json`, authorization);
  if (docs.status !== 200 || !isObject(docs.text))
    throw unready(`ARI at ${base} does not describe itself: /ari/api-docs/resources.json is missing`);
}

/**
 * ARI speaks without encryption, with the password in the URL: never over a network.
 * @throws PbxError
 */
function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' || !isLoopback(url.hostname))
    throw refused(`phone.ari.url is "${text}": only http on this machine will do, such as http://127.0.0.1:8088`);
  return url.origin;
}

async function ask(url: string, authorization: string): Promise<{ status: number; text: string }> {
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    const answer = await fetch(url, { headers: { authorization }, redirect: 'manual', signal });
    return { status: answer.status, text: await answer.text() };
  } catch (error) {
    const isLate = error instanceof Error && error.name === 'TimeoutError';
    const what = isLate ? 'does not answer' : 'cannot be reached';
    throw new PbxError('unreachable', `Asterisk ${what} at ${new URL(url).origin}; is it running?`, error);
  }
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null;
  } catch {
    return false;
  }
}

function refused(message: string): PbxError {
  return new PbxError('refused', message);
}

function unready(message: string): PbxError {
  return new PbxError('unready', message);
}
