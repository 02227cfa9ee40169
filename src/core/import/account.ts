import { type Reading, ReadingBuilder, whoText } from './reading.js';
import { isLoopback, readWho, retired } from './who.js';
import { linesOf, wordsOf } from './words.js';

/** Reads an account file that has nothing but addresses and host names, one a line. */
export function readAddressList(text: string, note: string): Reading {
  const out = new ReadingBuilder();
  for (const [index, raw] of linesOf(text).entries()) {
    const line = index + 1;
    const [word, ...more] = wordsOf(raw) ?? ['?', '?'];
    if (word === undefined) continue;
    const who = more.length > 0 ? undefined : readWho(word);
    const gone = who == null ? undefined : retired(who);
    if (who === undefined) out.say(line, 'not_understood', 'neither an address nor a host name');
    else if (who === null) out.say(line, 'not_taken', 'it is open to everybody');
    else if (isLoopback(who)) out.say(line, 'not_needed', 'loopback is always let in');
    else if (gone !== undefined) out.say(line, 'not_taken', `${whoText(who)} was ${gone}, which is no more`);
    else out.entry({ line, who, ports: null, note, wider: null });
  }
  return out.done();
}

/** Whether every line of a text is an address, a CIDR or a host name; `onlyAddresses` leaves out the names. */
export function isAddressList(text: string, onlyAddresses: boolean): boolean {
  let found = false;
  for (const raw of linesOf(text)) {
    const words = wordsOf(raw);
    if (words?.length === 0) continue;
    const who = words?.length === 1 ? readWho(words[0] ?? '') : undefined;
    if (who === undefined || (onlyAddresses && who?.kind === 'name')) return false;
    found = true;
  }
  return found;
}
