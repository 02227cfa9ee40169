import { connect } from 'node:net';
import type { PhoneConfig } from '../config/config.js';
import { isLoopback } from './loopback.js';
import { PbxError } from './session.js';

const PATIENCE = 2500;
const GREETING = 'Asterisk Call Manager/';

/**
 * Waits for AMI to greet, before the library connects: its connection to a frozen PBX, or to what is no AMI at all, could not
 * be ended any more.
 * @throws PbxError
 */
export async function probeAmi({ host, port }: Pick<PhoneConfig['ami'], 'host' | 'port'>): Promise<void> {
  if (!isLoopback(host))
    throw new PbxError('refused', `phone.ami.host is "${host}": only this machine will do, such as 127.0.0.1`);
  const at = `${host}:${port}`;
  const socket = connect({ host, port });
  try {
    await new Promise<void>((resolve, reject) => {
      const fail = (what: string, cause?: unknown) =>
        reject(new PbxError('unreachable', `Asterisk ${what} at ${at}; is it running?`, cause));
      let heard = '';
      socket.setTimeout(PATIENCE, () => fail('does not answer'));
      socket.on('error', (error) => fail('cannot be reached', error));
      socket.on('close', () => fail('hangs up'));
      socket.setEncoding('latin1').on('data', (text: string) => {
        heard += text;
        if (heard.length < GREETING.length) return;
        if (heard.startsWith(GREETING)) resolve();
        else reject(new PbxError('unready', `what answers at ${at} is not AMI`));
      });
    });
  } finally {
    socket.destroy();
  }
}
