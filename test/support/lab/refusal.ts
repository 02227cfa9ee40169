import { expect } from 'vitest';
import type { Ran } from './host.js';

/** A program refused: with this exit status and one line on stderr that begins with the code, and nothing else anywhere. */
export function expectRefusal({ code, stdout, stderr }: Ran, error: string, status: 1 | 2 = 1): void {
  expect({ code, stderr, stdout }).toEqual({
    code: status,
    stderr: expect.stringMatching(new RegExp(`^${error}: .+\\n$`)),
    stdout: '',
  });
}
