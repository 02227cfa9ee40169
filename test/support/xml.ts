/** A strict reader of the XML that we write ourselves: what is not well-formed is an error. */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** What stands directly in it, references resolved. */
  text: string;
}

const PIECE = /<(\/)?([A-Za-z][\w-]*)((?:\s+[\w-]+="[^"<]*")*)\s*(\/)?>|([^<]+)/gy;
const REFERENCES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"' };

/** All elements in the order in which they begin; throws where tags do not match or a character is not escaped. */
export function elementsOf(xml: string): Element[] {
  const all: Element[] = [];
  const open: Element[] = [];
  let end = 0;
  for (const found of xml.matchAll(PIECE)) {
    const [whole, closing, name = '', attributes = '', empty, text] = found;
    end = found.index + whole.length;
    if (text !== undefined) {
      const parent = open.at(-1);
      if (parent !== undefined) parent.text += resolved(text);
      else if (text.trim() !== '') throw new Error(`text outside of the root: ${text}`);
    } else if (closing !== undefined) {
      const last = open.pop();
      if (last?.name !== name) throw new Error(`</${name}> closes <${last?.name}>`);
    } else {
      if (open.length === 0 && all.length > 0) throw new Error(`a second root <${name}>`);
      const element = { name, attributes: attributesOf(attributes), text: '' };
      all.push(element);
      if (empty === undefined) open.push(element);
    }
  }
  if (end !== xml.length) throw new Error(`not well-formed at ${end}: ${xml.slice(end, end + 60)}`);
  if (open.length > 0) throw new Error(`<${open.at(-1)?.name}> is not closed`);
  return all;
}

function attributesOf(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [, name = '', value = ''] of text.matchAll(/([\w-]+)="([^"]*)"/g)) {
    if (found[name] !== undefined) throw new Error(`attribute ${name} stands twice`);
    found[name] = resolved(value);
  }
  return found;
}

function resolved(text: string): string {
  return text.replace(/&(\w+;)?/g, (whole, reference: string | undefined) => {
    const character = REFERENCES[(reference ?? '').slice(0, -1)];
    if (character === undefined) throw new Error(`an ampersand that begins no reference: ${whole}`);
    return character;
  });
}
