import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Gives a run of the suites a folder for temporary files of its own, so that nothing of what they make stays on the machine. */
export function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-run-'));
  process.env['TMPDIR'] = folder;
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
