const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * A host name in lower case, without a trailing dot: labels of letters, digits and inner dashes, 253 characters in all (RFC
 * 1123, section 2.1). Undefined for what is none, such as an address or a short form of one.
 */
export function readHostName(text: string): string | undefined {
  const name = text.toLowerCase().replace(/\.$/, '');
  const labels = name.split('.');
  const isNumber = /^(\d+|0x[\da-f]*)$/.test(labels.at(-1) ?? '');
  return name.length <= 253 && !isNumber && labels.every((label) => LABEL.test(label)) ? name : undefined;
}
