/** Text from elsewhere without anything that could steer a terminal or break a line. */
export function clean(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}

/** `3 addresses`, `1 address`. */
export function count(n: number, one: string, many: string): string {
  return `${n.toLocaleString('en')} ${n === 1 ? one : many}`;
}

export function list(items: readonly string[]): string {
  return items.map(clean).join(', ');
}
