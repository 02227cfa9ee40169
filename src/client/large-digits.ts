/** The digits as five rows of three dots each. */
const ROWS = [
  ['###', ' # ', '###', '###', '# #', '###', '###', '###', '###', '###'],
  ['# #', '## ', '  #', '  #', '# #', '#  ', '#  ', '  #', '# #', '# #'],
  ['# #', ' # ', '###', '###', '###', '###', '###', '  #', '###', '###'],
  ['# #', ' # ', '#  ', '  #', '  #', '  #', '# #', '  #', '# #', '  #'],
  ['###', '###', '###', '###', '  #', '###', '###', '  #', '###', '###'],
] as const;

/** A digit in large: five lines of three dots, each dot two columns wide so that it is about square. */
export function largeDigits(text: string, ink: string): string[] {
  return ROWS.map((row) => {
    const dots = [...text].map((char) => row[Number.parseInt(char, 10)] ?? ' ').join(' ');
    return dots.replace(/./g, (dot) => (dot === '#' ? ink : dot).repeat(2)).trimEnd();
  });
}
