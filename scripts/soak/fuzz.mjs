/** The tests with random and bent input, with ten times their cases. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runVitest } from '../lib/vitest.mjs';

const TESTS = ['test/unit/fuzz-nflog', 'test/unit/fuzz-nfnetlink', 'test/lab/fuzz-pool'];
/** One million cases, times this. */
const TIMES = 10;

export const scenario = {
  id: 'fuzz',
  title: 'Random and bent packets, log messages and answers of nfnetlink',
  minutes: 10,

  /** @param {{ quick: boolean, progress: { part: (text: string) => void }, directory: string }} options */
  async run({ quick, progress, directory }) {
    const times = quick ? 1 : TIMES;
    mkdirSync(directory, { recursive: true });
    const report = join(directory, 'fuzz.jsonl');
    progress.part(`${times} million cases`);
    const env = { SALLYPORT_FUZZ_TIMES: String(times), SALLYPORT_FUZZ_REPORT: report };
    const { passed, failed } = await runVitest(TESTS, env);
    const lines = existsSync(report) ? readFileSync(report, 'utf8').trim().split('\n') : [];
    const campaigns = lines.map((line) => JSON.parse(line));
    const sum = (key) => campaigns.reduce((total, one) => total + one[key], 0);
    const longest = Math.max(0, ...campaigns.map(({ longestMs }) => longestMs));
    return {
      figures: [
        { id: 'cases', title: 'cases', value: sum('count'), unit: '', goal: { least: times * 1_000_000 } },
        {
          id: 'failed',
          title: 'tests that failed (a throw, a grant, a hang)',
          value: failed,
          unit: '',
          goal: { most: 0 },
        },
        { id: 'passed', title: 'tests that passed', value: passed, unit: '' },
        { id: 'took', title: 'time for all cases', value: Math.round(sum('seconds')), unit: 's' },
        { id: 'longest', title: 'longest single case', value: longest, unit: 'ms' },
      ],
      notes: [
        ...campaigns.map(({ title, count, seconds }) => `${title}: ${count} in ${seconds} s`),
        ...new Set(campaigns.map(({ seed }) => `SALLYPORT_FUZZ_SEED=${seed}`)),
      ],
    };
  },
};
