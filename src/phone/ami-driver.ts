import type { PhoneConfig } from '../config/config.js';
import { AmiConnection } from './ami-connection.js';
import { probeAmi } from './ami-probe.js';
import { AmiSession } from './ami-session.js';
import { toError } from './deadline.js';
import { readPassword } from './password.js';
import { type PbxDriver, PbxError, type PbxSession, type SessionEvents } from './session.js';

/**
 * Asterisk by AMI: the dialplan hands calls over by AGI(agi:async). What an earlier connection left behind is not hung up from
 * here: that takes more rights. Its calls end by themselves, since each is given seconds only and we renew them.
 */
export class AmiDriver implements PbxDriver {
  readonly #config: PhoneConfig['ami'];

  constructor(config: PhoneConfig['ami']) {
    this.#config = config;
  }

  async connect(events: SessionEvents): Promise<PbxSession> {
    const password = await readPassword(this.#config.secretFile);
    await probeAmi(this.#config);
    const session = new AmiSession(events);
    try {
      const connection = await AmiConnection.open(this.#config, password, {
        onEvent: (event) => session.receive(event),
        onClosed: () => session.closed(),
      });
      await session.open(connection);
      return session;
    } catch (error) {
      session.close();
      throw error instanceof PbxError ? error : new PbxError('unreachable', `AMI: ${toError(error).message}`, error);
    }
  }
}
