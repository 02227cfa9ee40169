import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SallyportError } from '../../core/errors.js';
import { type ConfTree, readConfTree } from './conf-tree.js';

/** Where an Asterisk keeps its things, and who it is. */
export interface AsteriskHome {
  /** The folder of its configuration. */
  readonly directory: string;
  /** FreePBX (Incredible PBX, too) writes its own files anew at will; only those called custom are left alone. */
  readonly kind: 'plain' | 'freepbx';
  /** `astdatadir`: its sounds are below it. */
  readonly data: string;
  /** Whose group may read what Asterisk has to read. */
  readonly group: number;
}

const USUAL_DATA = ['/usr/share/asterisk', '/var/lib/asterisk'];

/** Finds the Asterisk of this machine. @throws SP_PHONE_ASTERISK where there is none, SP_PHONE_FILE */
export async function findAsterisk(directory: string): Promise<AsteriskHome> {
  if (!(await isThere(directory))) throw absent(directory, 'there is no such folder');
  const [main, dialplan] = await Promise.all([
    readConfTree(directory, 'asterisk.conf'),
    readConfTree(directory, 'extensions.conf'),
  ]);
  if (main.files.length === 0) throw absent(directory, 'it has no asterisk.conf');
  if (dialplan.files.length === 0) throw absent(directory, 'it has no extensions.conf');
  const data = await dataFolder(main);
  const isFreePbx = ['extensions_additional.conf', 'extensions_custom.conf'].every((name) =>
    dialplan.files.includes(join(directory, name)),
  );
  const group = await groupOf(directory, data, main);
  return { directory, kind: isFreePbx ? 'freepbx' : 'plain', data, group };
}

function absent(directory: string, problem: string): SallyportError {
  return new SallyportError('SP_PHONE_ASTERISK', { directory, problem });
}

async function dataFolder(main: ConfTree): Promise<string> {
  const named = main.settings.findLast(({ section, key }) => section === 'directories' && key === 'astdatadir')?.value;
  if (named !== undefined && named !== '') return named;
  for (const folder of USUAL_DATA) if (await isThere(join(folder, 'sounds'))) return folder;
  return '/var/lib/asterisk';
}

/** The group of Asterisk's own files, and failing that of the folder in which it keeps its state. */
async function groupOf(directory: string, data: string, main: ConfTree): Promise<number> {
  const named = main.settings.findLast(
    ({ section, key }) => section === 'directories' && key === 'astvarlibdir',
  )?.value;
  for (const path of [join(directory, 'manager.conf'), directory, named ?? '/var/lib/asterisk', data]) {
    const gid = (await stat(path).catch(() => undefined))?.gid ?? 0;
    if (gid !== 0) return gid;
  }
  return 0;
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
