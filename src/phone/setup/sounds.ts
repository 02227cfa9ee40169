import { PROMPTS, type Prompt, soundsOf } from '../../core/phone/prompts.js';

/** Every sound that the menu may play, each once: its sentences and words, digits, numbers, letters. */
export function everySound(): readonly string[] {
  const numbers = [...Array(21).keys(), 30, 40, 50, 60, 70, 80, 90, 100, 1000];
  const spelled: Prompt[] = [
    { digits: '0123456789abcdefghijklmnopqrstuvwxyz' },
    ...numbers.map((number): Prompt => ({ number })),
  ];
  const named = Object.values(PROMPTS).map(({ sound }) => sound);
  return [...new Set([...named, ...soundsOf(spelled)])];
}
