import { stringify } from 'yaml';

/** A value as YAML on one line, quoted where it must be. */
export function flow(value: unknown): string {
  // Inside a list, since a text that stands alone is quoted less than one in a flow collection.
  const text = stringify([value], { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 });
  return text.trim().slice(1, -1);
}
