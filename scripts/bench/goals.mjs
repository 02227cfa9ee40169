/** Goals of figures, and whether what a scenario gave is what the report and the plots can be made from. */

/** @returns {'met' | 'missed' | 'unmeasured' | undefined} undefined: the figure has no goal */
export function verdict({ value, goal }) {
  if (goal === undefined) return undefined;
  if (value === null) return 'unmeasured';
  const { most = Number.POSITIVE_INFINITY, least = Number.NEGATIVE_INFINITY } = goal;
  return value <= most && value >= least ? 'met' : 'missed';
}

/** How many goals there are, and the figures that did not meet theirs. */
export function tally(scenarios) {
  const figures = scenarios.flatMap((scenario) => scenario.figures ?? []).filter(({ goal }) => goal !== undefined);
  const having = (wanted) => figures.filter((figure) => verdict(figure) === wanted);
  return {
    goals: figures.length,
    met: having('met').length,
    missed: having('missed'),
    unmeasured: having('unmeasured'),
  };
}

const KINDS = ['distribution', 'bars', 'line'];
const ID = /^[a-z0-9][a-z0-9-]*$/;

/** @returns {string | undefined} what is wrong with what a scenario gave */
export function checkMeasured(measured) {
  const { figures, plots = [], notes = [] } = measured ?? {};
  if (!Array.isArray(figures) || figures.length === 0) return 'it gave no figures';
  if (!Array.isArray(plots) || !Array.isArray(notes)) return 'its plots and notes are not lists';
  return figures.map(faultOfFigure).find(Boolean) ?? plots.map(faultOfPlot).find(Boolean);
}

function faultOfFigure({ id, title, value, unit, goal }) {
  if (!ID.test(id ?? '') || typeof title !== 'string' || typeof unit !== 'string') return `figure ${id} is incomplete`;
  // NaN and infinity would become null in JSON, which says that it was not measured.
  if (value !== null && !Number.isFinite(value)) return `figure ${id} is ${value}`;
  if (goal === undefined) return undefined;
  const bounds = [goal.most, goal.least].filter((bound) => bound !== undefined);
  return bounds.length > 0 && bounds.every(Number.isFinite) ? undefined : `the goal of figure ${id} is none`;
}

function faultOfPlot({ id, title, kind, unit, series, labels }) {
  if (!ID.test(id ?? '') || typeof title !== 'string' || typeof unit !== 'string') return `plot ${id} is incomplete`;
  if (!KINDS.includes(kind)) return `plot ${id} is of no known kind`;
  if (!Array.isArray(series) || series.length === 0) return `plot ${id} has no series`;
  for (const { name, values } of series) {
    if (!Array.isArray(values) || values.length === 0) return `series ${name} of plot ${id} is empty`;
    if (!values.every(Number.isFinite)) return `series ${name} of plot ${id} has a value that is no number`;
    if (labels !== undefined && kind !== 'distribution' && values.length !== labels.length)
      return `series ${name} of plot ${id} does not fit its labels`;
  }
  return undefined;
}
