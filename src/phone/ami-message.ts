/** An event or an answer as the library reads it: names in lower case, each with one value. */
export type AmiMessage = Readonly<Record<string, string>>;

/** Undefined for what is no message. A header that was sent more than once is nobody's that we trust: it is left out. */
export function readMessage(value: unknown): AmiMessage | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.fromEntries(Object.entries(value).filter(([, one]) => typeof one === 'string'));
}
