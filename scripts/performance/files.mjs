/** All that is made from docs/performance.json: the page, its plots, and the table in README. */
import { bars } from './bars.mjs';
import { distribution } from './distribution.mjs';
import { lines } from './lines.mjs';
import { pageOf, plotFile } from './page.mjs';
import { withTable } from './readme.mjs';

const RENDERERS = { distribution, bars, line: lines };

/**
 * @param {{host: object, scenarios: object[]}} performance
 * @param {string} readme as it is
 * @returns {Map<string, string>} texts by path in the checkout
 */
export function performanceFiles(performance, readme) {
  const files = new Map([
    ['README.md', withTable(readme, performance)],
    ['docs/performance.md', pageOf(performance)],
  ]);
  for (const scenario of performance.scenarios)
    for (const plot of scenario.plots) files.set(`docs/${plotFile(scenario, plot)}`, RENDERERS[plot.kind](plot));
  return files;
}
