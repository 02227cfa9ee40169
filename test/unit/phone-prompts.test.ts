import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAddress, parseTarget, type Target } from '../../src/core/address.ts';
import { PROMPTS, type Prompt, type PromptName, type Recordings, soundsOf } from '../../src/core/phone/prompts.ts';
import { days, hours, millis, minutes, seconds } from '../../src/core/time.ts';
import { address, anyText, service } from '../support/core-arbitraries.ts';

const NAMES = Object.keys(PROMPTS) as PromptName[];
const said = (...prompts: Prompt[]) => soundsOf(prompts).join(' ');
/** As one hears it: digits as they are, words by their text. */
const TEXTS = new Map<string, string>(NAMES.map((name) => [PROMPTS[name].sound, PROMPTS[name].text]));
const heard = (...prompts: Prompt[]) =>
  soundsOf(prompts)
    .map((sound) => TEXTS.get(sound) ?? sound.replace(/^(digits|letters)\//, ''))
    .join(' ');

describe('the table of prompts', () => {
  it.each(NAMES)('%s has a sound, and words to record it by', (name) => {
    const { sound, text } = PROMPTS[name];
    expect(sound).toMatch(/^[a-z0-9_/-]+$/);
    expect(sound).not.toContain('//');
    expect(text).toMatch(/^[A-Za-z0-9 ,.]+$/);
    expect(text.length).toBeLessThan(130);
    if (sound.startsWith('sallyport/')) expect(sound).toBe(`sallyport/${name}`);
  });

  it('has no sound twice', () => {
    expect(TEXTS.size).toBe(NAMES.length);
  });

  it('can be replaced by another, for another language', () => {
    const other = Object.fromEntries(NAMES.map((name) => [name, { sound: `de/${name}`, text: '' }])) as Recordings;
    const prompts: Prompt[] = [{ say: 'goodbye' }, { address: parseAddress('1.2.3.4') }, { duration: minutes(1) }];
    expect(soundsOf(prompts, other)).toEqual([
      'de/goodbye',
      'digits/1',
      'de/dot',
      'digits/2',
      'de/dot',
      'digits/3',
      'de/dot',
      'digits/4',
      'digits/1',
      'de/minute',
    ]);
  });
});

describe('what is said', () => {
  it('is a sentence of the table', () => {
    expect(said({ say: 'goodbye' }, { say: 'enter-pin' })).toBe('vm-goodbye sallyport/enter-pin');
  });

  it('is digits one by one, so that each can be stopped', () => {
    expect(said({ digits: '402913*#' })).toBe(
      'digits/4 digits/0 digits/2 digits/9 digits/1 digits/3 digits/star digits/pound',
    );
  });

  it.each([
    ['203.0.113.7', '2 0 3 dot 0 dot 1 1 3 dot 7'],
    ['10.0.0.0/8', '1 0 dot 0 dot 0 dot 0 slash 8'],
    ['2001:db8::7', '2 0 0 1 colon d b 8 colon colon 7'],
    ['::/0', 'colon colon slash 0'],
    ['fe80::abcd:ef', 'f e 8 0 colon colon a b c d colon e f'],
  ])('is the address %s, character by character', (text, words) => {
    expect(heard({ address: parseTarget(text) })).toBe(words);
  });

  it('is every address there is, so that two are never said alike', () => {
    fc.assert(
      fc.property(address, (one) => {
        const marks: Record<string, string> = { dot: '.', colon: ':' };
        const back = heard({ address: one })
          .split(' ')
          .map((word) => marks[word] ?? word);
        expect(back.join('')).toBe(one);
      }),
    );
  });

  it.each([
    [0, '0'],
    [7, '7'],
    [20, '20'],
    [21, '20 1'],
    [99, '90 9'],
    [100, '1 hundred'],
    [342, '3 hundred 40 2'],
    [1000, '1 thousand'],
    [12_015, '12 thousand 15'],
    [1_000_000, '1 0 0 0 0 0 0'],
    [-3, '0'],
    [2.7, '2'],
    [Number.NaN, '0'],
    [Number.POSITIVE_INFINITY, '0'],
  ])('is the number %d as it is said', (number, words) => {
    expect(heard({ number })).toBe(words);
  });

  it.each([
    [hours(1), '60 minutes'],
    [minutes(30), '30 minutes'],
    [minutes(1), '1 minute'],
    [seconds(90), '1 minute 30 seconds'],
    [seconds(61), '1 minute 1 second'],
    [seconds(45), '40 5 seconds'],
    [seconds(1), '1 second'],
    [millis(0), '0 seconds'],
    [millis(-5), '0 seconds'],
    [millis(Number.NaN), '0 seconds'],
    [minutes(61), '1 hour 1 minute'],
    [minutes(90), '1 hour 30 minutes'],
    [hours(2), '2 hours'],
    [hours(24), '20 4 hours'],
    [days(2), '2 days'],
    [hours(49), '2 days 1 hour'],
    // What is left of an hour a moment after it began is still sixty minutes; a moment later nobody is promised more than there is.
    [millis(hours(1) - 3), '60 minutes'],
    [seconds(3599), '50 9 minutes'],
    [seconds(2 * 3600 + 59), '2 hours'],
  ])('is the time %d ms as it is said', (duration, words) => {
    expect(heard({ duration })).toBe(words);
  });

  it.each([
    [['all'], 'everything'],
    [['ssh'], 'S S H'],
    [['sip', 'web'], 'sip and web'],
    [['ftp', 'my-db_2'], 'f t p and m y dash d b underscore 2'],
    [['constructor'], 'c o n s t r u c t o r'],
    [[], ''],
  ])('is the services %j, by their word or spelled', (names, words) => {
    expect(heard({ services: names.map(service) })).toBe(words);
  });

  it('is a sound that can exist, whatever is to be said', () => {
    const anything = anyText(30);
    const prompt: fc.Arbitrary<Prompt> = fc.oneof(
      anything.map((digits) => ({ digits })),
      anything.map((text) => ({ address: text as Target })),
      fc.array(anything.map(service), { maxLength: 4 }).map((services) => ({ services })),
      fc.double().map((number) => ({ number })),
      fc.oneof(fc.double(), fc.integer()).map((number) => ({ duration: millis(number) })),
    );
    fc.assert(
      fc.property(fc.array(prompt, { maxLength: 5 }), (prompts) => {
        for (const sound of soundsOf(prompts)) expect(sound).toMatch(/^[a-z0-9_-]+(\/[a-z0-9_-]+)?$/);
      }),
    );
  });
});
