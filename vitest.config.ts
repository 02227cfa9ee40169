import { defineConfig } from 'vitest/config';

/** Files of the lab that mostly wait for others, and measure no time: calls, name servers, scans, starts of the daemon. */
const PAIRS = [
  ...['phone*', 'lockdown*', 'names', 'providers', 'import', 'whois', 'boots', 'reboot', 'apply', 'lockout'],
  ...['firewall-commands', 'first-start', 'set-up', 'host', 'openapi', 'claims', 'pair', 'client', 'clients'],
].map((name) => `test/lab/${name}.test.ts`);

export default defineConfig({
  cacheDir: '.cache/vite',
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          sequence: { groupOrder: 0 },
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        // Two files at a time, each in namespaces and on ports of its own.
        extends: true,
        test: {
          name: 'pairs',
          include: PAIRS,
          sequence: { groupOrder: 1 },
          maxWorkers: 2,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        // Real packets and real time: one file after the other, with the machine to itself.
        extends: true,
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          exclude: PAIRS,
          sequence: { groupOrder: 2 },
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
