import { describe, expect, it } from 'vitest';
import { hashPin, isPin } from '../../src/gate/pin.ts';

describe('a PIN', () => {
  it('is told from any other', async () => {
    const kept = await hashPin('483921');
    expect(await Promise.all(['483921', '483922', '', '4839211'].map((pin) => isPin(pin, kept)))).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  it.each([null, '', 'x', '$scrypt$ln=15,r=8,p=3$AAAA$AAAA', '$argon2id$v=19$m=1,t=1,p=1$AAAA$AAAA'])(
    'never matches what cannot be read: %s',
    async (kept) => {
      expect(await isPin('483921', kept)).toBe(false);
    },
  );
});
