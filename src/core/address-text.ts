/*
 * Addresses as text, by hand: a hundred thousand of them are read at a start, and regular expressions and bigints take ten
 * times as long.
 */

const [DOT, COLON, ZERO, NINE] = [0x2e, 0x3a, 0x30, 0x39];
/** The longest text of an IPv6 address: with a dotted end. */
const LONGEST = 45;

/** The 32 bits of an IPv4 address; undefined for any other text. */
export function ipv4ToNumber(text: string): number | undefined {
  let bits = 0;
  let part = -1;
  let parts = 1;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (part < 0 || ++parts > 4) return undefined;
      bits = (bits << 8) | part;
      part = -1;
    } else if (code >= ZERO && code <= NINE) {
      // A part that begins with 0 is at its end.
      if (part === 0) return undefined;
      part = part < 0 ? code - ZERO : 10 * part + code - ZERO;
      if (part > 255) return undefined;
    } else {
      return undefined;
    }
  }
  return part < 0 || parts !== 4 ? undefined : ((bits << 8) | part) >>> 0;
}

/** RFC 4291, section 2.2: eight groups, one `::` for a run of zeros, the last 32 bits perhaps in dotted form. */
export function ipv6Groups(text: string): number[] | undefined {
  if (text.length > LONGEST) return undefined;
  const groups: number[] = [];
  let gap = -1;
  let i = 0;
  if (text.charCodeAt(0) === COLON) {
    if (text.charCodeAt(1) !== COLON) return undefined;
    gap = 0;
    i = 2;
  }
  while (i < text.length) {
    let group = 0;
    const start = i;
    for (; i < text.length && i - start < 4; i++) {
      const digit = hexDigit(text.charCodeAt(i));
      if (digit < 0) break;
      group = (group << 4) | digit;
    }
    const code = text.charCodeAt(i);
    if (code === DOT) {
      const low = ipv4ToNumber(text.slice(start));
      if (low === undefined) return undefined;
      groups.push(low >>> 16, low & 0xffff);
      i = text.length;
      break;
    }
    if (i === start) return undefined;
    groups.push(group);
    if (i === text.length) break;
    if (code !== COLON) return undefined;
    i++;
    if (i === text.length) return undefined;
    if (text.charCodeAt(i) !== COLON) continue;
    if (gap >= 0) return undefined;
    gap = groups.length;
    i++;
  }
  const missing = 8 - groups.length;
  if (gap < 0 ? missing !== 0 : missing < 1) return undefined;
  if (gap >= 0) groups.splice(gap, 0, ...new Array<number>(missing).fill(0));
  return groups;
}

/** -1 for what is none. */
function hexDigit(code: number): number {
  if (code >= ZERO && code <= NINE) return code - ZERO;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** ::ffff:0:0/96 (RFC 4291, section 2.5.5.2). */
export function isMapped(groups: readonly number[]): boolean {
  return groups[5] === 0xffff && groups.every((group, index) => index > 4 || group === 0);
}

export function embeddedIPv4(groups: readonly number[]): string {
  const [high = 0, low = 0] = groups.slice(6);
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/** RFC 5952: lower case, no leading zeros, `::` for the longest run (the first of equals) of two groups or more. */
export function formatGroups(groups: readonly number[]): string {
  let [best, longest] = [-1, 1];
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > longest) [best, longest] = [start, length];
  }
  let text = '';
  for (let i = 0; i < 8; i++) {
    if (i === best) {
      text += '::';
      i += longest - 1;
    } else {
      text += (groups[i] ?? 0).toString(16);
      if (i < 7 && i + 1 !== best) text += ':';
    }
  }
  return text;
}
