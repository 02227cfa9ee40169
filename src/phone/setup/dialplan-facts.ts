import type { ConfTree, Setting } from './conf-tree.js';

/** Names of contexts in which calls from outside begin, on Asterisk's samples and on FreePBX. */
const OUTSIDE =
  /^(from-(trunk|pstn|did|sip-external|zaptel|dahdi)|public|incoming|inbound|.*anonymous.*|.*unauthenticated.*)/i;

/** The context and all that it includes, however deep. */
export function reachableFrom(tree: ConfTree, context: string): ReadonlySet<string> {
  const found = new Set([context]);
  for (const name of found) for (const { included } of includesOf(tree, name)) found.add(included);
  return found;
}

/** Where an extension is answered, in these contexts: each place that names it outright. */
export function placesOf(tree: ConfTree, contexts: ReadonlySet<string>, extension: string): readonly Setting[] {
  return tree.settings.filter(
    ({ section, key, value }) => key === 'exten' && contexts.has(section) && extensionIn(value) === extension,
  );
}

/** Contexts of calls from outside that reach the given one by their includes. */
export function outsideWaysTo(tree: ConfTree, context: string): readonly string[] {
  return contextsOf(tree).filter((name) => OUTSIDE.test(name) && reachableFrom(tree, name).has(context));
}

/** The names of all contexts, each once. */
export function contextsOf(tree: ConfTree): readonly string[] {
  const names = tree.sections.map(({ name }) => name).filter((name) => name !== 'general' && name !== 'globals');
  return [...new Set(names)];
}

function includesOf(tree: ConfTree, context: string): { readonly included: string }[] {
  return tree.settings
    .filter(({ section, key }) => section === context && key === 'include')
    .map(({ value }) => ({ included: (value.split(/[,|]/)[0] ?? '').trim() }));
}

/** `864,1,Goto(…)`, `8-6-4,hint,…` and `864/5551234,1,…` are all 864; spaces and dashes do not count. */
function extensionIn(value: string): string {
  const name = (value.split(',')[0] ?? '').split('/')[0] ?? '';
  return name.startsWith('_') ? name : name.replace(/[\s-]/g, '');
}
