import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PROMPTS } from '#dist/core/phone/prompts.js';

const FRAME = 160;
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const NUMBERS = [...Array(21).keys(), 30, 40, 50, 60, 70, 80, 90];

/** Packets of 20 ms of a recording; of one that has to be heard to its end, longer than what is typed ahead behind it. */
const [PACKETS, ANNOUNCED] = [3, 30];
const ANNOUNCEMENTS = new Set<string>(
  (['offer-address', 'open-address', 'callback-address', 'login-incorrect'] as const).map(
    (name) => PROMPTS[name].sound,
  ),
);

/**
 * Makes recordings of 60 milliseconds that spell their own names in their samples, for everything that a menu can say: a
 * telephone of the tests (rtp.mjs) knows what it hears, and no test waits for a voice to finish.
 * @returns what to hand to Asterisk: names below its folder of English sounds, and paths
 */
export async function writeSpokenSounds(directory: string): Promise<Record<string, string>> {
  const names = [
    ...Object.values(PROMPTS).map(({ sound }) => sound as string),
    ...NUMBERS.map((number) => `digits/${number}`),
    ...[...LETTERS].map((letter) => `letters/${letter}`),
  ];
  const links = new Map<string, string>();
  for (const name of new Set(names)) {
    const path = join(directory, `${name}.ulaw`);
    await mkdir(dirname(path), { recursive: true });
    const length = ANNOUNCEMENTS.has(name) ? ANNOUNCED : PACKETS;
    await writeFile(path, Buffer.concat(Array.from({ length }, (_, index) => frame(name, index))));
    const top = name.includes('/') ? name.slice(0, name.indexOf('/')) : `${name}.ulaw`;
    links.set(top, join(directory, top));
  }
  return Object.fromEntries(links);
}

/** One packet of G.711 as Asterisk reads and sends it on. */
function frame(name: string, index: number): Buffer {
  const samples = Buffer.alloc(FRAME, 0xff);
  samples.write(`SAYS ${index} ${name}\n`);
  return samples;
}
