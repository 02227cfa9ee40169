import { expect, it } from 'vitest';
import { parseConfig } from '#dist/config/parse.js';
import { parseSequence } from '#dist/core/sequence.js';
import type { User } from '#dist/core/user.js';
import { viewCard } from '#dist/gate/views.js';
import { LEAST, SAMPLE } from '../support/config-sample.ts';
import { user } from '../support/store.ts';

const CALLER: Partial<User> = {
  account: '1001',
  pinHash: '$scrypt$',
  sequence: parseSequence('tcp/21234,udp/28111'),
};

function call(text: string, change: Partial<User>): string | null {
  const parsed = parseConfig(text, 'sallyport.yaml');
  if (!parsed.ok) throw new Error('the configuration does not load');
  return viewCard(user(1, change), parsed.config).call;
}

it('a card names the extension for a pairing code, where all is there for it', () => {
  expect(call(SAMPLE, CALLER)).toBe('864');
});

it.each([
  ['there is no telephone', LEAST, CALLER],
  ['the user has no account', SAMPLE, { ...CALLER, account: null }],
  ['the user has no PIN', SAMPLE, { ...CALLER, pinHash: null }],
  ['the last port is TCP', SAMPLE, { ...CALLER, sequence: parseSequence('udp/28111,tcp/21234') }],
])('a card names none where %s', (_why, text, change) => {
  expect(call(text, change)).toBeNull();
});
