import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';
import { PATIENCE_MS } from './test/support/patience.ts';

const report = process.env['TEST_REPORT'];

/** What `npm run test:recorded` runs: suites over recordings kept outside the clone. */
export default defineConfig({
  test: {
    include: ['test/recorded/**/*.test.ts'],
    globalSetup: ['test/recorded/require-recordings.ts', 'test/support/own-temp.ts'],
    environment: 'node',
    setupFiles: ['test/support/property-seed.ts', 'test/support/mark-equality.ts'],
    env: { RECORDED: resolve(process.env['RECORDED'] ?? '../shared/data') },
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    expect: { poll: { timeout: PATIENCE_MS } },
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
