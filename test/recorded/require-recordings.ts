import { existsSync } from 'node:fs';
import type { TestProject } from 'vitest/node';

/** Refuses to run where the recordings are missing: a skipped suite would look like a passed one. */
export function setup({ config }: TestProject): void {
  const folder = config.env['RECORDED'] ?? '';
  if (!existsSync(folder)) {
    throw new Error(
      `no recorded data at \`${folder}\`: set RECORDED to the folder that holds streams/ and prices.jsonl`,
    );
  }
}
