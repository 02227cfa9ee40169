/** A copy of the built program: what is built while a soak runs does not disturb it. */
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { at } from '../lib/checkout.mjs';

/** Copies the build below `directory`, with the packages by a link; gives the path of its main file. */
export function copyProgram(directory) {
  mkdirSync(directory, { recursive: true });
  for (const folder of ['dist', 'providers']) cpSync(at(folder), join(directory, folder), { recursive: true });
  cpSync(at('package.json'), join(directory, 'package.json'));
  symlinkSync(at('node_modules'), join(directory, 'node_modules'));
  return join(directory, 'dist', 'main.js');
}
