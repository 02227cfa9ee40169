/** Writes docs/errors.md from the tables in src/core/errors; with --check it only compares. */
import { at, readIfThere, writeOwned } from './lib/checkout.mjs';
import { SetupError } from './lib/run.mjs';
import { runScript } from './lib/setup.mjs';

const PAGE = at('docs', 'errors.md');

await runScript(async () => {
  const { ERRORS } = await import('../dist/core/errors.js');
  const page = pageOf(ERRORS);
  if (readIfThere(PAGE) === page) return;
  if (process.argv.includes('--check')) {
    throw new SetupError(
      'docs/errors.md differs from src/core/errors',
      'Run: npm run build && node scripts/generate-error-docs.mjs',
    );
  }
  writeOwned(PAGE, page);
});

function pageOf(errors) {
  const codes = Object.keys(errors).sort();
  const head = [
    '<!-- Written by scripts/generate-error-docs.mjs from src/core/errors. -->',
    '# Errors',
    'Every error is one line on stderr: its code, what is wrong, what to do. A command that was written wrongly ends with exit',
    'status 2, one that was refused or failed with 1. `{words}` in braces stand for what is filled in.',
  ];
  const sections = codes.map((code) => sectionOf(code, errors[code]));
  return `${[head.slice(0, 2).join('\n\n'), head.slice(2).join('\n'), ...sections].join('\n\n')}\n`;
}

function sectionOf(code, { text, fix, usage }) {
  return `## ${code}\n\n${escaped(text)} (exit status ${usage ? 2 : 1})\n\nWhat to do: ${escaped(fix)}`;
}

/** Braces become code, so that a name in them is seen as one; what Markdown would take as markup is escaped. */
function escaped(text) {
  return text.replace(/\{\w+\}|[<*_`]/g, (found) => (found.startsWith('{') ? `\`${found}\`` : `\\${found}`));
}
