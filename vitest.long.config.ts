import { defineConfig } from 'vitest/config';

/** What takes its time: `npm run test:long`. Not part of CI. */
export default defineConfig({
  test: { include: ['test/long/**/*.test.ts'], testTimeout: 40 * 60_000, fileParallelism: false },
});
