/**
 * Speaks every sentence of the menu that is recorded for Sallyport (src/core/phone/prompts.ts) with flite's voice slt, into
 * dialplan/sounds/en: 8 kHz, mono, 16 bits, as Asterisk plays it without converting. Only what is new, or has another text, is
 * spoken; `--all` speaks all of it anew.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { at, makeFolder, readIfThere, writeOwned } from './lib/checkout.mjs';
import { fetchPeers, peerLibraries } from './lib/peers.mjs';
import { mustRun, SetupError } from './lib/run.mjs';
import { runScript, setUp } from './lib/setup.mjs';
import { halved, readWave, trimmed, writeWave } from './lib/wave.mjs';

const FOLDER = at('dialplan', 'sounds', 'en');
const LIST = join(FOLDER, 'sallyport.txt');

await runScript(async () => {
  await setUp({ hostTools: false });
  makeFolder(join(FOLDER, 'sallyport'));
  const { PROMPTS } = await import('#dist/core/phone/prompts.js');
  const wanted = Object.values(PROMPTS).filter(({ sound }) => sound.startsWith('sallyport/'));
  const before = new Map((readIfThere(LIST) ?? '').split('\n').map((line) => line.split(/: (.*)/).slice(0, 2)));
  const all = process.argv.includes('--all');
  const there = new Set(readdirSync(join(FOLDER, 'sallyport'), { recursive: true }).map((name) => `sallyport/${name}`));
  const work = mkdtempSync(join(tmpdir(), 'sallyport-voice-'));
  try {
    for (const { sound, text } of wanted) {
      if (!all && there.has(`${sound}.wav`) && before.get(sound) === text) continue;
      const path = join(FOLDER, `${sound}.wav`);
      writeOwned(path, writeWave(halved(trimmed(await spoken(text, work)))));
      console.log(`${sound}: ${text}`);
    }
  } finally {
    rmSync(work, { recursive: true });
  }
  for (const name of there) if (!wanted.some(({ sound }) => `${sound}.wav` === name)) rmSync(join(FOLDER, name));
  const lines = wanted.map(({ sound, text }) => `${sound}: ${text}\n`).sort();
  writeOwned(LIST, lines.join(''));
});

/** What flite says, at 16 kHz. */
async function spoken(text, work) {
  const { folder, missing } = await fetchPeers(['flite']);
  if (missing) throw new SetupError(missing, 'Run this where apt reaches its mirror.');
  const path = join(work, 'spoken.wav');
  const argv = [join(folder, 'usr/bin/flite'), '-voice', 'slt', '-t', text, '-o', path];
  await mustRun(`speech: ${text}`, argv, 'See what flite says.', {
    quiet: true,
    env: { LD_LIBRARY_PATH: peerLibraries(folder) },
  });
  return readWave(readFileSync(path));
}
