import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { SallyportError } from '../core/errors.js';
import type { Config } from './config.js';
import { type ParseResult, parseConfig } from './parse.js';
import { formatProblem } from './problem.js';
import { LARGEST_FILE, type Refused } from './schema-file.js';
import { readYaml } from './yaml-tree.js';

/**
 * Reads a configuration from a file.
 * @throws SP_CONFIG_MISSING, SP_CONFIG_UNREADABLE, SP_CONFIG_INVALID with the first problem and how many more there are
 */
export async function loadConfig(file: string): Promise<Config> {
  const result = await readConfig(file);
  if (result.ok) return result.config;
  throw invalidConfig(result, file);
}

/**
 * Reads a configuration from a file, for those who want every problem. At most 1 MB is read, and only of a regular file.
 * @throws SP_CONFIG_MISSING, SP_CONFIG_UNREADABLE
 */
export async function readConfig(file: string): Promise<ParseResult> {
  return await readFileWith(file, parseConfig);
}

/** Reads a file by its parser, which refuses what is too large. @throws SP_CONFIG_MISSING, SP_CONFIG_UNREADABLE */
export async function readFileWith<Read>(
  file: string,
  parse: (text: string, file: string) => Read | Refused,
): Promise<Read | Refused> {
  const bytes = await readBytes(file);
  const badLine = firstLineNotUtf8(bytes);
  // A file cut off at the limit may end inside a character; its size is what is wrong with it.
  if (badLine !== undefined && bytes.length <= LARGEST_FILE) {
    return { ok: false, problems: [{ file, line: badLine, column: 1, path: '', message: 'this is not UTF-8 text' }] };
  }
  if (bytes.length > LARGEST_FILE) return parse(' '.repeat(LARGEST_FILE + 1), file);
  return parse(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes), file);
}

/**
 * The state directory that a configuration names, however broken the rest of it is; undefined where it cannot be told.
 * For the boot step, which has to find what was saved there.
 */
export async function namedStateDirectory(file: string): Promise<string | undefined> {
  const bytes = await readBytes(file).catch(() => undefined);
  if (bytes === undefined || bytes.length > LARGEST_FILE) return undefined;
  const { value } = readYaml(new TextDecoder().decode(bytes));
  const directory = (value as { state?: { directory?: unknown } | null } | null | undefined)?.state?.directory;
  return typeof directory === 'string' && isAbsolute(directory) ? directory : undefined;
}

/** The error that stands for all problems of a file: the first of them, and how many more there are. */
export function invalidConfig(result: Refused, file: string): SallyportError {
  const [first, ...more] = result.problems;
  return new SallyportError('SP_CONFIG_INVALID', {
    problem: first === undefined ? file : formatProblem(first),
    more: more.length === 0 ? '' : ` (and ${more.length} more)`,
  });
}

async function readBytes(file: string): Promise<Uint8Array> {
  let handle: FileHandle | undefined;
  try {
    // Without O_NONBLOCK opening a FIFO would wait for a writer.
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!(await handle.stat()).isFile())
      throw new SallyportError('SP_CONFIG_UNREADABLE', { file, reason: 'it is no file' });
    // One byte past the limit is enough to see that there is more.
    const buffer = new Uint8Array(LARGEST_FILE + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } catch (error) {
    throw unreadable(file, error);
  } finally {
    await handle?.close();
  }
}

function unreadable(file: string, error: unknown): SallyportError {
  if (error instanceof SallyportError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  if (code === 'ENOENT' || code === 'ENOTDIR') return new SallyportError('SP_CONFIG_MISSING', { file }, error);
  const reason = code === 'EACCES' || code === 'EPERM' ? 'permission denied' : code;
  return new SallyportError('SP_CONFIG_UNREADABLE', { file, reason }, error);
}

/** The first line that is not UTF-8, from 1. A newline is never part of a longer character, so lines can be tried alone. */
function firstLineNotUtf8(bytes: Uint8Array): number | undefined {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const fits = (part: Uint8Array) => {
    try {
      decoder.decode(part);
      return true;
    } catch {
      return false;
    }
  };
  if (fits(bytes)) return undefined;
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline + 1;
    if (!fits(bytes.subarray(start, end))) return line;
    start = end;
  }
  return line;
}
