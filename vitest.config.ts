import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const PROCESSORS = availableParallelism();

/** Files of the lab that measure, speak with many in real time, or want every processor for themselves. */
const ALONE = ['demo', 'expiry-many', 'overlaps', 'phone-flood', 'phone-many', 'race', 'without-koffi'].map(
  (name) => `test/lab/${name}.test.ts`,
);

/** Begun first, the longest first, so that at the end nobody waits for one of them. */
const LONGEST = [
  ...['phone-refusals', 'phone-approval', 'burst', 'apply', 'phone-faults', 'phone', 'faults', 'phone-outage'],
  'phone-link',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const index = LONGEST.indexOf(basename(moduleId, '.test.ts'));
      return index < 0 ? LONGEST.length : index;
    };
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  cacheDir: '.cache/vite',
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          sequence: { groupOrder: 0 },
          maxWorkers: PROCESSORS,
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        // Real packets and real time, each file in namespaces and on ports of its own. Most of them wait most of the time.
        extends: true,
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          exclude: ALONE,
          sequence: { groupOrder: 1 },
          maxWorkers: PROCESSORS + 1,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        // One file after the other, with the machine to itself.
        extends: true,
        test: {
          name: 'alone',
          include: ALONE,
          sequence: { groupOrder: 2 },
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
