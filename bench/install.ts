import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Load tools and rivals are not in the product's tree: they are installed here, from this folder's own lock file, when one is missing. */
export function install(wanted: string): void {
  if (existsSync(join(import.meta.dirname, 'node_modules', wanted))) return;
  console.error(`bench: installing \`${wanted}\` into bench/node_modules (once)`);
  const args = ['ci', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', import.meta.dirname];
  const { status } = spawnSync('npm', args, { stdio: ['ignore', 2, 2] });
  if (status !== 0)
    throw new Error(`\`${wanted}\` was not installed; run \`npm ci --prefix bench\` and look at what it says`);
}
