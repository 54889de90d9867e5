import { defineConfig } from 'vitest/config';

const report = process.env['TEST_REPORT'];

/** What `npm run test:partition` runs: it makes network namespaces, so it needs Linux and root. */
export default defineConfig({
  test: {
    include: ['test/partition/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 40_000,
    fileParallelism: false,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
