/** A name as a user's name may be, made from one that may not; `other` where nothing is left of it. */
export function safeUserName(text: string, other: string): string {
  const name = text
    .trim()
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 32)
    .replace(/[^A-Za-z0-9]+$/, '');
  return name === '' ? other : name;
}
