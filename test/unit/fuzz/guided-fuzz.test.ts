import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

interface Outcome {
  readonly runs: number;
  readonly edges: number;
  readonly kept: number;
  readonly finding?: { readonly message: string; readonly input: string };
}

interface Ended {
  readonly code: number | null;
  readonly said: string;
}

/** Runs the fuzzer as `npm run fuzz` does. */
function run(...args: readonly string[]): Promise<Ended> {
  const command = ['--disable-warning=ExperimentalWarning', 'test/fuzz/run.ts', '--seed', '1', ...args];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      said += chunk;
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, said }));
  });
}

/** The same, with what its last line says by target. */
async function fuzz(...args: readonly string[]): Promise<Ended & { readonly by: Record<string, Outcome> }> {
  const ended = await run(...args);
  const last = ended.said.trimEnd().split('\n').at(-1) ?? '';
  return { ...ended, by: JSON.parse(last) as Record<string, Outcome> };
}

describe('the coverage-guided fuzzer', { timeout: 300_000 }, () => {
  it('finds nothing in a short run from its seeds', async () => {
    const { code, said, by } = await fuzz('--seconds', '20', '--runs', '150');
    expect(said).not.toContain('again:');
    expect(code).toBe(0);
    expect(Object.keys(by)).toEqual(['policy', 'cel', 'body', 'detector']);
    for (const { runs, edges, kept } of Object.values(by)) {
      expect(runs).toBeGreaterThan(2);
      expect(edges).toBeGreaterThan(500);
      expect(kept).toBeGreaterThan(1);
    }
  });

  it('finds its way through a maze, keeps what it found, and finds it again', async () => {
    const out = mkdtempSync(join(tmpdir(), 'tollgate-fuzz-'));
    const { code, by } = await fuzz('--target', 'maze', '--seconds', '60', '--out', out);
    expect(code).toBe(1);
    expect(by['maze']?.finding?.message).toContain('the way out');
    const file = join(out, 'maze-1.txt');
    expect(readFileSync(file, 'utf8')).toBe(by['maze']?.finding?.input);
    const again = await fuzz('--target', 'maze', '--input', file, '--out', out);
    expect(again.code).toBe(1);
  });

  it('refuses what it can not do, and says what it can', async () => {
    const moon = await run('--target', 'moon');
    expect(moon.code).toBe(1);
    expect(moon.said).toContain('there is no target `moon`; take one of policy, cel, body, detector, maze');
    const soon = await run('--seconds', 'soon');
    expect(soon.code).toBe(1);
    expect(soon.said).toContain('`--seconds soon` is no length of time');
  });
});
