import { defineConfig } from 'vitest/config';
import { PATIENCE_MS } from './test/support/patience.ts';

const report = process.env['TEST_REPORT'];

/** What `npm run test:privileged` runs: it makes network namespaces and mounts a small disk, so it needs Linux and root. */
export default defineConfig({
  test: {
    include: ['test/privileged/**/*.test.ts'],
    globalSetup: ['test/support/own-temp.ts'],
    testTimeout: 60_000,
    expect: { poll: { timeout: PATIENCE_MS } },
    hookTimeout: 40_000,
    fileParallelism: false,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
