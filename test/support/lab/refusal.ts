import { expect } from 'vitest';
import type { Ran } from './host.js';

/** What a program that refuses leaves: this exit status, one line on stderr that begins with the code, and nothing else. */
export function refusal(error: string, status: 1 | 2 = 1): Ran {
  return { code: status, stderr: expect.stringMatching(new RegExp(`^${error}: .+\\n$`)), stdout: '' };
}

export function expectRefusal(ran: Ran, error: string, status: 1 | 2 = 1): void {
  expect(ran).toEqual(refusal(error, status));
}
