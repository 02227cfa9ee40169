import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { SallyportError } from '../core/errors.js';
import { LONGEST_SEQUENCE, parseSequence, type Sequence, SHORTEST_SEQUENCE, sameKnock } from '../core/sequence.js';
import { codeOf } from './network.js';

/** The text of a file with a sequence, and whether others on the machine may read it. */
export interface PortsFile {
  readonly text: string;
  readonly exposed: boolean;
}

const LARGEST_FILE = 4096;

/**
 * Reads a sequence as the user has it: `tcp/21234,udp/28111`, on one line or several; lines that begin with # are
 * remarks. Never repeats in an error what was read.
 * @throws SP_SEQUENCE_INVALID
 */
export function readSequence(text: string): Sequence {
  const items = text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join('\n')
    .split(/[\s,]+/)
    .filter((item) => item !== '');
  const sequence = parseSequence(items.join(','));
  if (sequence.length < SHORTEST_SEQUENCE || sequence.length > LONGEST_SEQUENCE) {
    throw new SallyportError('SP_SEQUENCE_INVALID', { problem: `it has ${sequence.length} of them` });
  }
  if (sequence.some((knock, i) => sequence.findIndex((other) => sameKnock(knock, other)) !== i)) {
    throw new SallyportError('SP_SEQUENCE_INVALID', { problem: 'one of its ports comes twice' });
  }
  return sequence;
}

/** Reads the file of `--ports-file`; `-` is standard input. @throws SP_CLIENT_PORTS_FILE */
export async function readPortsFile(path: string): Promise<PortsFile> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    const stream = path === '-' ? createReadStream('', { fd: 0, autoClose: false }) : createReadStream(path);
    for await (const chunk of stream) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > LARGEST_FILE) break;
    }
    if (size <= LARGEST_FILE) {
      return { text: Buffer.concat(chunks).toString('utf8'), exposed: path !== '-' && (await isExposed(path)) };
    }
  } catch (error) {
    throw new SallyportError('SP_CLIENT_PORTS_FILE', { problem: codeOf(error) }, error);
  }
  throw new SallyportError('SP_CLIENT_PORTS_FILE', { problem: 'it is far too long' });
}

/** Whether the mode lets the group or others read a regular file. Windows has no such mode. */
async function isExposed(path: string): Promise<boolean> {
  if (process.platform === 'win32') return false;
  const status = await stat(path);
  return status.isFile() && (status.mode & 0o044) !== 0;
}
