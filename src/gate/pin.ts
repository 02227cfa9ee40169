import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

/** Costs some 60 ms and 32 MB a try (OWASP's figure for scrypt). */
const COST = { N: 2 ** 15, r: 8, p: 3 };
const LENGTH = 32;

const PHC = /^\$scrypt\$ln=15,r=8,p=3\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})$/;

/** What a PIN is compared with where there is nothing to compare it with: it takes as long, and nothing matches it. */
const NOBODY = { salt: randomBytes(16), hash: randomBytes(LENGTH) };

/** A PIN as it is kept: scrypt with a salt of its own, in the PHC string format. */
export async function hashPin(pin: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await derive(pin, salt);
  const base64 = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
  return `$scrypt$ln=15,r=${COST.r},p=${COST.p}$${base64(salt)}$${base64(hash)}`;
}

/** Whether a PIN is the one that is kept; takes equally long where none is, or where what is kept cannot be read. */
export async function isPin(pin: string, kept: string | null): Promise<boolean> {
  const [, salt, hash] = PHC.exec(kept ?? '') ?? [];
  const isKept = salt !== undefined && hash !== undefined;
  const found = isKept ? { salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') } : NOBODY;
  return timingSafeEqual(await derive(pin, found.salt), found.hash) && isKept;
}

function derive(pin: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(pin, salt, LENGTH, { ...COST, maxmem: 128 * 1024 * 1024 }, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}
