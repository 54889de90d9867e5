import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The official suite, the SDK packages of its fixture and MCP Inspector: installed here, from this folder's own lock file, when missing. */
export function installSuite(): void {
  const wanted = ['@modelcontextprotocol/conformance', '@modelcontextprotocol/conformance-stable', 'tsx'];
  if (wanted.every((name) => existsSync(join(import.meta.dirname, 'node_modules', name)))) return;
  console.error('conformance: installing the official suite into test/conformance/node_modules (once)');
  const args = ['ci', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', import.meta.dirname];
  const { status } = spawnSync('npm', args, { stdio: ['ignore', 2, 2] });
  if (status !== 0)
    throw new Error('the suite was not installed; run `npm ci --prefix test/conformance` and look at what it says');
}
