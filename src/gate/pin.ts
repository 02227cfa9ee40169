import { randomBytes, scrypt } from 'node:crypto';

/** Costs some 60 ms and 32 MB a try (OWASP's figure for scrypt). */
const COST = { N: 2 ** 15, r: 8, p: 3 };

/** A PIN as it is kept: scrypt with a salt of its own, in the PHC string format. */
export async function hashPin(pin: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await new Promise<Buffer>((resolve, reject) => {
    scrypt(pin, salt, 32, { ...COST, maxmem: 128 * 1024 * 1024 }, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
  const base64 = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
  return `$scrypt$ln=15,r=${COST.r},p=${COST.p}$${base64(salt)}$${base64(hash)}`;
}
