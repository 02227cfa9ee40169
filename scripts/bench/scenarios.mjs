/**
 * The scenarios: each is a module of scripts/bench/scenarios and measures one thing in namespaces of its own.
 *
 * @typedef {object} Scenario
 * @property {string} id
 * @property {string} title
 * @property {number} minutes what it takes, about
 * @property {boolean} [needsAsterisk] it is fetched before
 * @property {(tools: Tools) => Promise<Measured>} run
 *
 * @typedef {object} Tools
 * @property {boolean} quick fewer samples
 * @property {import('./progress.mjs').Progress} progress
 * @property {{folder?: string, missing?: string}} peers programs of other projects, and why some are not there
 * @property {{folder?: string, missing?: string}} [asterisk] for a scenario that needs it: where it is, or why it is not there
 * @property {string} directory for files; removed afterwards
 *
 * @typedef {object} Measured
 * @property {Figure[]} figures
 * @property {object} [samples] what is only kept in .cache/bench/latest.json
 * @property {string[]} [notes] for the page, in Markdown; no paths, no host names
 * @property {Plot[]} [plots]
 *
 * @typedef {object} Figure
 * @property {string} id
 * @property {string} title
 * @property {number | null} value null: could not be measured here
 * @property {string} unit
 * @property {{most?: number, least?: number}} [goal]
 * @property {string} [compared] with what
 * @property {string} [why] why a missed goal is missed; shown only then
 *
 * @typedef {object} Plot
 * @property {string} id
 * @property {string} title
 * @property {'distribution' | 'bars' | 'line'} kind
 * @property {string} unit
 * @property {boolean} [log] logarithmic scale of the values
 * @property {{name: string, values: number[]}[]} series
 * @property {string[]} [labels] of the values: the bars' groups, the points along a line
 * @property {string} [across] what the labels of a line are
 */
import { readdirSync } from 'node:fs';

const FOLDER = new URL('./scenarios/', import.meta.url);
/** The order in which they run and are told; others come after. */
const ORDER = ['opening', 'noise', 'throughput', 'grants', 'entries', 'users', 'phone', 'start'];

/** @returns {Promise<Scenario[]>} in the order in which they run */
export async function loadScenarios() {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.mjs'));
  const modules = await Promise.all(names.sort().map((name) => import(new URL(name, FOLDER))));
  return inOrder(modules.map(({ scenario }) => scenario));
}

/** @template {{id: string}} T @param {T[]} scenarios @returns {T[]} */
export function inOrder(scenarios) {
  const place = ({ id }) => (ORDER.includes(id) ? ORDER.indexOf(id) : ORDER.length);
  return [...scenarios].sort((a, b) => place(a) - place(b));
}
