import { defineConfig } from 'vitest/config';
import { PATIENCE_MS } from './test/support/patience.ts';

const report = process.env['TEST_REPORT'];

const SUITES = ['unit', 'contract', 'golden', 'flow', 'anomaly', 'pins', 'architecture'];

/** Everything `npm test` runs: needs nothing outside the clone. */
export default defineConfig({
  test: {
    include: SUITES.map((suite) => `test/${suite}/**/*.test.ts`),
    environment: 'node',
    globalSetup: ['test/support/own-temp.ts'],
    setupFiles: ['test/support/property-seed.ts', 'test/support/mark-equality.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 40_000,
    expect: { poll: { timeout: PATIENCE_MS } },
    hookTimeout: 40_000,
    teardownTimeout: 5_000,
    restoreMocks: true,
    unstubEnvs: true,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
