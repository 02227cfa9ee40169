import type { Target } from '../address.js';
import { ALL, type ServiceName } from '../service.js';
import type { Duration } from '../time.js';
import type { Sound } from './link.js';

/** What is said to a caller, in parts. */
export type Prompt =
  /** A recorded sentence. */
  | { readonly say: PromptName }
  /** One by one. */
  | { readonly digits: string }
  /** An address or a CIDR: digits, letters, dots, colons, slash. */
  | { readonly address: Target }
  | { readonly duration: Duration }
  | { readonly number: number }
  | { readonly services: readonly ServiceName[] };

/** Which sound says it, and its words. */
export interface Recording {
  readonly sound: Sound;
  readonly text: string;
}

/** What Asterisk's own sounds have (asterisk-core-sounds-en): the name there, and the words. */
const CORE = {
  goodbye: ['vm-goodbye', 'Goodbye.'],
  'one-moment': ['one-moment-please', 'One moment, please.'],
  'login-incorrect': ['vm-incorrect', 'Login incorrect.'],
  'not-a-choice': ['conf-errormenu', 'Invalid choice.'],
  cancelled: ['cancelled', 'Cancelled.'],
  for: ['for', 'for'],
  and: ['vm-and', 'and'],
  second: ['second', 'second'],
  seconds: ['seconds', 'seconds'],
  minute: ['minute', 'minute'],
  minutes: ['minutes', 'minutes'],
  hours: ['hours', 'hours'],
  dot: ['letters/dot', 'dot'],
  colon: ['letters/ascii58', 'colon'],
  slash: ['letters/slash', 'slash'],
  dash: ['letters/dash', 'dash'],
  underscore: ['letters/ascii95', 'underscore'],
  star: ['digits/star', 'star'],
  pound: ['digits/pound', 'pound'],
  hundred: ['digits/hundred', 'hundred'],
  thousand: ['digits/thousand', 'thousand'],
  'service-sip': ['spy-sip', 'sip'],
} as const;

/** What is recorded for Sallyport: `sallyport/<name>`. */
const OWN = {
  'enter-account': 'Please enter your account number, followed by the pound key.',
  'enter-pin': 'Please enter your PIN, followed by the pound key.',
  'menu-address': 'To let in an address, press 1.',
  'menu-code': 'To use a pairing code, press 2.',
  'menu-waiting': 'To allow the request that is waiting, press 2.',
  'menu-open': 'To hear what is open for you, press 3.',
  'menu-own-address': 'To let in the address that you are calling from, press 4.',
  'menu-end': 'To end this call, press star.',
  'enter-address': 'Please enter the address, with the star key for each dot, followed by the pound key.',
  'enter-code': 'Please enter the six digits of the pairing code.',
  'address-unfit': 'That is not an address that can be let in.',
  'no-claim': 'No request with that code is waiting.',
  'none-waiting': 'No request is waiting.',
  'offer-address': 'You are about to let in this address.',
  'offer-services': 'It may use',
  'offer-choices': 'Press 1 to confirm, 2 to start again, or star to cancel.',
  granted: 'Access granted, for',
  failed: 'That did not work. Please try again later.',
  'nothing-open': 'Nothing is open for you.',
  'open-address': 'Open for you is address number',
  'open-remaining': 'for another',
  'open-choices': 'Press 1 to close it, 2 for the next one, or star for the menu.',
  closed: 'It is closed.',
  'that-was-all': 'That was all.',
  hour: 'hour',
  day: 'day',
  days: 'days',
  'service-ssh': 'S S H',
  'service-web': 'web',
  'service-all': 'everything',
  'not-available': 'This service is not available at the moment.',
  'callback-address': 'This is your gateway. Somebody asks to be let in from this address.',
  'callback-choices':
    'If it is you, enter your PIN, followed by the pound key. If it is not you, press 9 and everything of yours is closed.',
  'callback-closed': 'Everything of yours is closed, and an alarm is raised.',
} as const;

/** The name of a sentence or a word. */
export type PromptName = keyof typeof CORE | keyof typeof OWN;

/** Every sentence and word; another language is another table. Single digits and letters are Asterisk's in any language. */
export type Recordings = Readonly<Record<PromptName, Recording>>;

export const PROMPTS = Object.fromEntries([
  ...Object.entries(CORE).map(([name, [sound, text]]) => [name, { sound, text }]),
  ...Object.entries(OWN).map(([name, text]) => [name, { sound: `sallyport/${name}`, text }]),
]) as Recordings;

/** The sounds that say it, in order. What has no sound, such as a letter of another alphabet, is left out. */
export function soundsOf(prompts: readonly Prompt[], recordings: Recordings = PROMPTS): Sound[] {
  const words = (names: readonly Word[]) => names.map((name) => toSound(name, recordings));
  return prompts.flatMap((prompt) => {
    if ('say' in prompt) return words([prompt.say]);
    if ('digits' in prompt) return words(spelled(prompt.digits));
    if ('address' in prompt) return words(spelled(prompt.address));
    if ('duration' in prompt) return words(durationWords(prompt.duration));
    if ('number' in prompt) return words(numberWords(prompt.number));
    return words(serviceWords(prompt.services));
  });
}

/** A sentence or word of the table, or a digit, a number with a sound of its own, a letter. */
type Word = PromptName | `digits/${number}` | `letters/${string}`;

function toSound(word: Word, recordings: Recordings): Sound {
  return Object.hasOwn(recordings, word) ? recordings[word as PromptName].sound : (word as string as Sound);
}

const MARKS: Readonly<Record<string, PromptName>> = {
  '.': 'dot',
  ':': 'colon',
  '/': 'slash',
  '-': 'dash',
  _: 'underscore',
  '*': 'star',
  '#': 'pound',
};

/** Character by character. */
function spelled(text: string): Word[] {
  return [...text.toLowerCase()].flatMap((character): Word[] => {
    if (/^[0-9]$/.test(character)) return [`digits/${Number(character)}`];
    if (/^[a-z]$/.test(character)) return [`letters/${character}`];
    const mark = Object.hasOwn(MARKS, character) ? MARKS[character] : undefined;
    return mark === undefined ? [] : [mark];
  });
}

/** As it is said in English, up to a million; from there on digit by digit. */
function numberWords(number: number): Word[] {
  const whole = Number.isFinite(number) ? Math.max(0, Math.trunc(number)) : 0;
  if (whole >= 1_000_000) return spelled(BigInt(whole).toString());
  const [thousands, below] = [Math.floor(whole / 1000), whole % 1000];
  if (thousands === 0) return belowThousand(below);
  return [...belowThousand(thousands), 'thousand', ...(below === 0 ? [] : belowThousand(below))];
}

function belowThousand(number: number): Word[] {
  const [hundreds, rest] = [Math.floor(number / 100), number % 100];
  if (hundreds === 0) return belowHundred(rest);
  return [`digits/${hundreds}`, 'hundred', ...(rest === 0 ? [] : belowHundred(rest))];
}

function belowHundred(number: number): Word[] {
  if (number <= 20) return [`digits/${number}`];
  const unit = number % 10;
  return [`digits/${number - unit}`, ...(unit === 0 ? [] : [`digits/${unit}` as const])];
}

const [MINUTE, HOUR, DAY] = [60, 3600, 86_400];

/**
 * `sixty minutes`, `one hour thirty minutes`, `two days`: the two largest units at most, and seconds below two minutes
 * alone. Rounded to a second and then down, since what is promised must hold.
 */
function durationWords(duration: Duration): Word[] {
  const whole = Number.isFinite(duration) ? Math.max(0, Math.round(duration / 1000)) : 0;
  if (whole < MINUTE) return counted(whole, 'second', 'seconds');
  if (whole < 2 * MINUTE) return [...counted(1, 'minute', 'minutes'), ...rest(whole - MINUTE, 'second', 'seconds')];
  if (whole < HOUR + MINUTE) return counted(Math.floor(whole / MINUTE), 'minute', 'minutes');
  if (whole < 2 * DAY) {
    const [hours, minutes] = [Math.floor(whole / HOUR), Math.floor((whole % HOUR) / MINUTE)];
    return [...counted(hours, 'hour', 'hours'), ...rest(minutes, 'minute', 'minutes')];
  }
  const [days, hours] = [Math.floor(whole / DAY), Math.floor((whole % DAY) / HOUR)];
  return [...counted(days, 'day', 'days'), ...rest(hours, 'hour', 'hours')];
}

function counted(count: number, one: PromptName, many: PromptName): Word[] {
  return [...numberWords(count), count === 1 ? one : many];
}

function rest(count: number, one: PromptName, many: PromptName): Word[] {
  return count === 0 ? [] : counted(count, one, many);
}

const SERVICES: Readonly<Record<string, PromptName>> = {
  [ALL]: 'service-all',
  ssh: 'service-ssh',
  sip: 'service-sip',
  web: 'service-web',
};

/** With "and" between all of them, so that names that are spelled do not run together. */
function serviceWords(services: readonly ServiceName[]): Word[] {
  return services.flatMap((name, index): Word[] => {
    const word = Object.hasOwn(SERVICES, name) ? SERVICES[name] : undefined;
    return [...(index === 0 ? [] : ['and' as const]), ...(word === undefined ? spelled(name) : [word])];
  });
}
