import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROMPTS } from '../../src/core/phone/prompts.ts';
import { everySound } from '../../src/phone/setup/sounds.ts';
import { script } from '../support/scripts.ts';

interface Wave {
  readonly rate: number;
  readonly samples: Float64Array;
}
const { readWave, writeWave, halved, trimmed } = await script<{
  readWave(bytes: Buffer): Wave;
  writeWave(wave: Wave): Buffer;
  halved(wave: Wave): Wave;
  trimmed(wave: Wave): Wave;
}>('lib/wave.mjs');

const FOLDER = join(import.meta.dirname, '../../dialplan/sounds/en');
const OURS = Object.values(PROMPTS).filter(({ sound }) => sound.startsWith('sallyport/'));
const files = readdirSync(join(FOLDER, 'sallyport'));
const sizes = files.map((name) => readFileSync(join(FOLDER, 'sallyport', name)).length);

describe('the recordings', () => {
  it.each(OURS)('$sound is there, as Asterisk plays it', ({ sound, text }) => {
    const { rate, samples } = readWave(readFileSync(join(FOLDER, `${sound}.wav`)));
    const seconds = samples.length / rate;
    expect(rate).toBe(8000);
    expect(seconds).toBeGreaterThan(0.2);
    expect(seconds).toBeLessThan(1.5 + text.length / 8);
    expect(samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0)).toBeGreaterThan(5000);
  });

  it('each has its words beside it, those of the menu', () => {
    const lines = readFileSync(join(FOLDER, 'sallyport.txt'), 'utf8').trimEnd().split('\n');
    expect(lines).toEqual(OURS.map(({ sound, text }) => `${sound}: ${text}`).sort());
  });

  it('are no more than the menu says, and small', () => {
    expect(files.map((name) => `sallyport/${name}`).sort()).toEqual(OURS.map(({ sound }) => `${sound}.wav`).sort());
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(1_600_000);
  });
});

it('phone test looks for every sound that the menu may play', () => {
  const all = everySound();
  expect(all).toEqual(
    expect.arrayContaining(['digits/0', 'digits/9', 'digits/20', 'letters/a', 'letters/dot', 'vm-goodbye']),
  );
  expect(all).toEqual(expect.arrayContaining(OURS.map(({ sound }) => sound)));
  expect(new Set(all).size).toBe(all.length);
});

describe('what makes a recording', () => {
  const tone = (hertz: number, rate = 16_000): Wave => ({
    rate,
    samples: Float64Array.from({ length: rate }, (_, i) => 10_000 * Math.sin((2 * Math.PI * hertz * i) / rate)),
  });
  const loudest = ({ samples }: Wave) =>
    samples.slice(100, -100).reduce((most, one) => Math.max(most, Math.abs(one)), 0);

  it('reads back what it writes', () => {
    const { rate, samples } = readWave(writeWave(tone(440)));
    expect(rate).toBe(16_000);
    expect(Math.abs((samples[123] ?? 0) - (tone(440).samples[123] ?? 0))).toBeLessThanOrEqual(0.5);
  });

  it('keeps what a telephone carries and drops what would fold back into it', () => {
    expect(halved(tone(1000)).rate).toBe(8000);
    expect(loudest(halved(tone(1000)))).toBeGreaterThan(9500);
    expect(loudest(halved(tone(5500)))).toBeLessThan(200);
  });

  it('drops the silence around it, and bears silence alone', () => {
    const wave = tone(440);
    const padded = { rate: 16_000, samples: new Float64Array(48_000) };
    padded.samples.set(wave.samples, 16_000);
    const seconds = trimmed(padded).samples.length / 16_000;
    expect(seconds).toBeGreaterThan(1);
    expect(seconds).toBeLessThan(1.2);
    expect(trimmed({ rate: 8000, samples: new Float64Array(80) }).samples).toHaveLength(80);
  });

  it.each(['', 'RIFF', 'RIFF0000WAVEfmt '])('refuses what is no sound: "%s"', (text) => {
    expect(() => readWave(Buffer.from(text))).toThrow();
  });
});
