/** Keeps a result in docs, where the page, the plots and README's table are made from it. */
import { readdirSync, rmSync } from 'node:fs';
import { at, readIfThere, writeOwned } from '../lib/checkout.mjs';
import { SetupError } from '../lib/run.mjs';
import { performanceFiles } from '../performance/files.mjs';
import { inOrder } from './scenarios.mjs';
import { evenly, thinned } from './statistics.mjs';

const KEPT = at('docs', 'performance.json');
const MOST_SAMPLES = 400;
const MOST_POINTS = 300;
const MOST_BYTES = 200_000;
const DIGITS = 5;

/** What is kept; no scenarios where nothing was kept yet. */
function readKept() {
  return JSON.parse(readIfThere(KEPT) ?? '{"scenarios":[]}');
}

/**
 * Figures of two machines must not meet on one page.
 * @param {object} host this machine
 * @param {string[]} ids the scenarios that are measured anew
 * @throws {SetupError} where scenarios would stay that were measured elsewhere
 */
export function mustFit(host, ids) {
  const { host: old, scenarios } = readKept();
  const staying = scenarios.filter(({ id }) => !ids.includes(id));
  if (staying.length === 0 || JSON.stringify(old) === JSON.stringify(host)) return;
  throw new SetupError(
    'what is kept was measured on another machine, kernel or Node',
    'Run it without --only, so that all of it is measured here',
  );
}

/** Writes the result and all that is made from it. @returns {string[]} the paths of what was written */
export function keep({ host, scenarios }) {
  const measured = scenarios.filter(({ failed }) => failed === undefined).map(keptOf);
  mustFit(
    host,
    measured.map(({ id }) => id),
  );
  const others = readKept().scenarios.filter(({ id }) => !measured.some((one) => one.id === id));
  const text = written({ host, scenarios: inOrder([...others, ...measured]) });
  if (text.length > MOST_BYTES)
    throw new SetupError(`${text.length} bytes are more than docs should carry`, 'Give the plots fewer samples');
  writeOwned(KEPT, text);
  return [KEPT, ...writePerformance()];
}

/** Makes the page, the plots and README's table from what is kept. @returns {string[]} the paths of what was written */
export function writePerformance() {
  const files = performanceFiles(readKept(), readIfThere(at('README.md')) ?? '');
  for (const path of strays(files)) rmSync(at(path));
  for (const [path, text] of files) writeOwned(at(path), text);
  return [...files.keys()].map((path) => at(path));
}

/** @returns {string[]} the files that differ from what would be made; with plots of which nothing is kept */
export function stalePerformance() {
  const files = performanceFiles(readKept(), readIfThere(at('README.md')) ?? '');
  const different = [...files].filter(([path, text]) => readIfThere(at(path)) !== text).map(([path]) => path);
  return [...different, ...strays(files)];
}

/** A scenario without what only its author wants to see. */
function keptOf({ id, title, at: when, seconds, figures, notes = [], plots = [] }) {
  return { id, title, at: when, seconds, figures, notes, plots: plots.map(plotOf) };
}

function plotOf(plot) {
  const isDistribution = plot.kind === 'distribution';
  const fewer = (values) => (isDistribution ? thinned(values, MOST_SAMPLES) : evenly(values, MOST_POINTS));
  return {
    ...plot,
    ...(plot.labels === undefined ? {} : { labels: evenly(plot.labels, MOST_POINTS) }),
    series: plot.series.map(({ name, values }) => ({ name, values: fewer(values) })),
  };
}

/** With few digits, and a list of numbers on one line. */
function written(performance) {
  const short = (_, value) => (typeof value === 'number' ? Number(value.toPrecision(DIGITS)) : value);
  const text = JSON.stringify(performance, short, 1);
  return `${text.replace(/\[[-\d.e+,\s]+\]/g, (list) => list.replace(/\s+/g, ''))}\n`;
}

/** Plots of which nothing is kept. */
function strays(files) {
  return plots().filter((path) => !files.has(path));
}

function plots() {
  try {
    return readdirSync(at('docs', 'performance')).map((name) => `docs/performance/${name}`);
  } catch {
    return [];
  }
}
