import { defaultConfig } from './defaults.js';
import { flow } from './flow.js';
import { configJsonSchema, type JsonSchema } from './json-schema.js';
import { printConfig } from './print.js';

/** The text of docs/configuration.md. */
export function configurationMarkdown(): string {
  const schema = configJsonSchema();
  const sections = Object.entries(schema.properties ?? {}).map(([name, section]) => describe(name, section, schema));
  const sample = printConfig(defaultConfig({ sshPorts: [22], web: true, sip: true }));
  return `${HEAD}\n\`\`\`yaml\n${sample}\`\`\`\n\n${sections.join('\n')}`;
}

const HEAD = `# Configuration

<!-- Made from the schema in src/config by scripts/generate-config-docs.mjs. -->

Sallyport reads \`/etc/sallyport/sallyport.yaml\`, or the file that \`--config FILE\` or \`SALLYPORT_CONFIG\` names. \`sallyport check\`
names every mistake with its line, and nothing is started with a faulty file:

\`\`\`
sallyport.yaml:14 grants.ttl: "3x" is not a duration (try 90s, 15m, 8h)
\`\`\`

- Only \`version\` and \`services\` are required. An unknown key is an error.
- A **duration** is whole numbers with units: \`90s\`, \`15m\`, \`8h\`, \`2d\`, \`1h30m\`.
- A **port** is \`tcp/22\` or, for a range, \`udp/10000-20000\`. The ports of one service do not overlap each other.
- **Addresses** are written plainly: \`203.0.113.7\`, \`203.0.113.0/28\`, \`2001:db8::/48\`. Addresses that may never be let in
  (unspecified, loopback, multicast, broadcast, reserved) are errors.
- The file is YAML 1.2 in UTF-8, at most 1 MB. Numbers are plain decimals; tags, merge keys and a second document are errors.
- \`docs/sallyport.schema.json\` is a JSON Schema for editors. Editors that speak yaml-language-server take it from a first
  line \`# yaml-language-server: $schema=PATH\`.

A whole file, with the defaults:
`;

function describe(name: string, section: JsonSchema, root: JsonSchema): string {
  const table = [
    '| key | what | default | example |',
    '|---|---|---|---|',
    ...(section.properties === undefined ? own(name, section, root) : rows(section, '')),
  ];
  const introduction = section.properties === undefined ? '' : `${section.description}\n\n`;
  return `## ${name}\n\n${introduction}${table.join('\n')}\n`;
}

/** The row of a section that is a value itself. */
function own(name: string, section: JsonSchema, root: JsonSchema): string[] {
  return [row(name, section, root.required?.includes(name) ?? false)];
}

function rows(parent: JsonSchema, prefix: string): string[] {
  return Object.entries(parent.properties ?? {}).flatMap(([key, value]) => {
    const name = `${prefix}${key}`;
    if (value.properties !== undefined) return rows(value, `${name}.`);
    const item = [value.items, ...(value.items?.anyOf ?? [])].find((part) => part?.properties !== undefined);
    const mapping = value.anyOf?.find((part) => part.properties !== undefined);
    const below = [...(item === undefined ? [] : rows(item, `${name}[].`)), ...rows(mapping ?? {}, `${name}.`)];
    return [row(name, value, parent.required?.includes(key) ?? false), ...below];
  });
}

function row(name: string, value: JsonSchema, required: boolean): string {
  const words =
    value.type === 'string' && value.enum !== undefined ? ` One of ${value.enum.map(code).join(', ')}.` : '';
  const example = value.examples?.[0] ?? value.default;
  const cells = [
    `\`${name}\``,
    `${value.description ?? ''}${words}`,
    value.default === undefined ? (required ? 'required' : 'none') : code(value.default),
    example === undefined ? '' : code(example),
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function code(value: unknown): string {
  return `\`${flow(value)}\``;
}
