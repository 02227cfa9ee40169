import type { Whose } from '../../core/whose.js';
import { clean } from '../text.js';

/** Whose an address is, in a few lines. */
export function whoseLines({ names, network, problems }: Whose): string {
  const lines = names.map(({ name, confirmed }) =>
    confirmed
      ? `Its name is ${clean(name)}.`
      : `It says that its name is ${clean(name)}, but that name does not lead back to it.`,
  );
  if (network !== null) {
    const { owner, country, abuse, source } = network;
    const where = country === null ? '' : ` (${clean(country)})`;
    lines.push(
      `Its network${network.network === null ? '' : ` ${clean(network.network)}`} is ${clean(owner ?? 'of somebody unnamed')}'s${where}, says ${source}.`,
    );
    if (abuse !== null) lines.push(`Misuse is told of to ${clean(abuse)}.`);
  }
  if (lines.length === 0 && problems.length === 0) lines.push('It has no name.');
  return [...lines, ...problems.map((problem) => `Whose it is: ${clean(problem)}.`)].join('\n');
}
