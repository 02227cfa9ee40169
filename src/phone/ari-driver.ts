import { type AriClient, connect } from 'ari-client';
import type { PhoneConfig } from '../config/config.js';
import { readChannels } from './ari-event.js';
import { probeAri } from './ari-probe.js';
import { AriSession, RING_CHANNEL } from './ari-session.js';
import { toError, within } from './deadline.js';
import { readPassword } from './password.js';
import { type PbxDriver, PbxError, type PbxSession, type SessionEvents } from './session.js';

/** Milliseconds in which the library must have read what ARI says of itself; it takes 70. */
const CONNECT_LIMIT = 5000;
const START_LIMIT = 5000;
const ASK_LIMIT = 3000;

/** Asterisk by ARI: its Stasis application is ours, a channel in it is a call. */
export class AriDriver implements PbxDriver {
  readonly #config: PhoneConfig['ari'];

  constructor(config: PhoneConfig['ari']) {
    this.#config = config;
  }

  async connect(events: SessionEvents): Promise<PbxSession> {
    const { url, app, username, passwordFile } = this.#config;
    const password = await readPassword(passwordFile);
    await probeAri(this.#config, password);
    const client = await answered(connect(new URL(url).origin, username, password), CONNECT_LIMIT);
    await sweep(client, app);
    const session = new AriSession(client, events);
    try {
      await answered(session.open(app), START_LIMIT);
      return session;
    } catch (error) {
      session.close();
      throw error;
    }
  }
}

/** Hangs up what an earlier connection left: its callers hear silence, and nobody else will end that. */
async function sweep(client: AriClient, app: string): Promise<void> {
  const channels = readChannels(await answered(client.channels.list(), ASK_LIMIT));
  const stale = channels.filter(
    (channel) =>
      (channel.app === 'Stasis' && channel.appData.split(',')[0] === app) || channel.id.startsWith(RING_CHANNEL),
  );
  // One that has ended meanwhile is no error.
  for (const { id } of stale)
    await answered(
      client.channels.hangup({ channelId: id }).catch(() => null),
      ASK_LIMIT,
    );
}

async function answered<T>(promise: Promise<T>, limit: number): Promise<T> {
  try {
    return await within(promise, limit, () => new PbxError('unreachable', 'Asterisk does not answer'));
  } catch (error) {
    if (error instanceof PbxError) throw error;
    throw new PbxError('unreachable', `ARI: ${toError(error).message}`, error);
  }
}
