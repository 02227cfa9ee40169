import { type Rule, readRule } from './iptables-rule.js';
import type { ReadingBuilder } from './reading.js';
import { linesOf, shown, wordsOf } from './words.js';

/** The rules of the filter table, and what happens to a packet at the end of INPUT. */
export interface RuleFile {
  readonly chains: ReadonlyMap<string, readonly Rule[]>;
  readonly policy: { readonly line: number; readonly accepts: boolean } | null;
}

/** What can be added to a source that stands for several. */
const MOST_SOURCES = 256;

const PROGRAM = /^(\/[\w/.-]*\/)?ip6?tables(-legacy|-nft)?$/;

/** Reads a file as iptables-save writes it, or with a call of iptables on each line. */
export function readRuleFile(text: string, out: ReadingBuilder): RuleFile {
  const appended = new Map<string, Rule[]>();
  const inserted = new Map<string, Rule[]>();
  let table = 'filter';
  let policy: RuleFile['policy'] = null;
  const setPolicy = (line: number, chain: string, verdict: string | undefined) => {
    if (chain !== 'INPUT') return out.say(line, 'not_needed', `the chain ${shown(chain, 32)}`);
    if (policy !== null) out.say(policy.line, 'not_needed', `line ${line} says it anew`);
    policy = { line, accepts: verdict === 'ACCEPT' };
  };
  for (const [index, raw] of linesOf(text).entries()) {
    const line = index + 1;
    const trimmed = raw.trim();
    if (trimmed === '') continue;
    if (trimmed.startsWith('#')) {
      if (/^#+\s*(\S*ip6?tables\s+)?-[AI] /.test(trimmed))
        out.say(line, 'not_taken', 'commented out there, so it lets nobody in');
      continue;
    }
    const words = wordsOf(trimmed);
    if (words === undefined) {
      out.say(line, 'not_understood', 'a quote is not closed');
      continue;
    }
    const [first = ''] = words;
    if (first.startsWith('*')) {
      table = first.slice(1);
      out.say(line, 'not_needed', `the table ${shown(table, 32)} begins`);
      continue;
    }
    if (first === 'COMMIT') {
      out.say(line, 'not_needed', 'the end of a table');
      continue;
    }
    if (first.startsWith(':')) {
      if (table === 'filter') setPolicy(line, first.slice(1), words[1]);
      else out.say(line, 'not_needed', `a chain of the table ${shown(table, 32)}, which stays as it is`);
      continue;
    }
    const call = commandOf(words);
    if (call === undefined) {
      out.say(line, 'not_understood', 'no rule of iptables');
      continue;
    }
    const of = call.table ?? table;
    if (of !== 'filter') out.say(line, 'not_needed', `a rule of the table ${shown(of, 32)}, which stays as it is`);
    else if (call.command === 'append' || call.command === 'insert') {
      const chains = call.command === 'insert' ? inserted : appended;
      const rules = chains.get(call.chain) ?? [];
      rules.push(...splitSources(call.rest).map((rest) => readRule(line, call.chain, rest)));
      chains.set(call.chain, rules);
    } else if (call.command === 'policy') setPolicy(line, call.chain, call.rest[0]);
    else if (call.command === 'other') out.say(line, 'not_needed', 'it empties or makes chains');
    else out.say(line, 'not_taken', 'it takes a rule away; what it took is not looked up here');
  }
  // What is inserted stands at the top, the last of it first.
  const chains = new Map(appended);
  for (const [chain, rules] of inserted) chains.set(chain, [...rules.reverse(), ...(appended.get(chain) ?? [])]);
  return { chains, policy };
}

const COMMANDS: Readonly<Record<string, 'append' | 'insert' | 'policy' | 'delete' | 'other'>> = {
  '-A': 'append',
  '--append': 'append',
  '-I': 'insert',
  '--insert': 'insert',
  '-P': 'policy',
  '--policy': 'policy',
  '-D': 'delete',
  '--delete': 'delete',
  '-R': 'delete',
  '-F': 'other',
  '--flush': 'other',
  '-X': 'other',
  '-Z': 'other',
  '-N': 'other',
  '--new-chain': 'other',
};

/** The command among the words of a line, its chain, and what is left; undefined for a line without one. */
export function commandOf(words: readonly string[]) {
  const rest = [...words];
  if (/^\[\d+:\d+\]$/.test(rest[0] ?? '')) rest.shift();
  if (rest[0] === 'sudo') rest.shift();
  if (PROGRAM.test(rest[0] ?? '')) rest.shift();
  while (rest[0] === '-w' || rest[0] === '--wait') rest.splice(0, /^\d+$/.test(rest[1] ?? '') ? 2 : 1);
  const tableAt = rest.findIndex((word) => word === '-t' || word === '--table');
  const table = tableAt < 0 ? undefined : rest.splice(tableAt, 2)[1];
  const [name = '', chain = ''] = rest;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined || (chain === '' && command !== 'other')) return undefined;
  const isNumbered = command === 'insert' && /^\d+$/.test(rest[2] ?? '');
  return { command, chain, table, rest: rest.slice(isNumbered ? 3 : 2) };
}

/** A source may list several, as iptables itself takes it apart. */
function splitSources(words: readonly string[]): (readonly string[])[] {
  const at = words.findIndex((word) => word === '-s' || word === '--source' || word === '--src');
  const sources = at < 0 ? [] : (words[at + 1] ?? '').split(',');
  if (sources.length < 2 || sources.length > MOST_SOURCES) return [words];
  return sources.map((source) => words.toSpliced(at + 1, 1, source));
}
