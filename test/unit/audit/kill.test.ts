import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { verifyChain } from '../../../gateway/audit/chain.ts';
import { scanOpen } from '../../../gateway/audit/recovery.ts';
import { openSpool } from '../../../gateway/audit/spool.ts';
import { folderOfTest, segmentsOf } from './records.ts';

const script = fileURLToPath(import.meta.resolve('./append-child.ts'));

function start(folder: string, round: number): { child: ChildProcess; output: () => string } {
  const args = ['--disable-warning=ExperimentalWarning', script, folder, '200000', String(round)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout?.on('data', (chunk) => {
    text += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    text += `error: ${chunk}`;
  });
  return { child, output: () => text };
}

describe('kill -9', () => {
  it('at any moment loses no acknowledged line and leaves a chain that verifies', async () => {
    const folder = join(await folderOfTest(), 'spool');
    const acked = new Map<number, string>();
    const names = new Set<string>();
    for (let round = 1; round <= 20; round += 1) {
      const { child, output } = start(folder, round);
      await expect.poll(() => output().length, { timeout: 10_000, interval: 5 }).toBeGreaterThan(0);
      await sleep(Math.random() * 60);
      child.kill('SIGKILL');
      await once(child, 'close');
      expect(output()).toMatch(/^ready\n/);
      // A last line of output that was cut off says nothing.
      for (const line of output().split('\n').slice(1, -1)) {
        const [seq, hash, name] = line.split(' ') as [string, string, string];
        acked.set(Number(seq), hash);
        names.add(name);
      }
      const spool = await openSpool(folder, { segmentBytes: 200_000 });
      const open = new Set<string>();
      let count = 0;
      for await (const { seq, hash, entry } of spool.read(1)) {
        count += 1;
        expect(seq).toBe(count);
        if (acked.has(seq)) expect(hash).toBe(acked.get(seq));
        names.delete(entry.kind === 'event' ? entry.name : `${entry.kind}:${entry.id}`);
        if (entry.kind === 'begin') open.add(entry.id);
        if (entry.kind === 'seal') open.delete(entry.id);
      }
      expect(names, `round ${round}: acknowledged and gone`).toEqual(new Set());
      expect(Math.max(0, ...acked.keys())).toBeLessThanOrEqual(count);
      const found = await scanOpen(spool, { since: 0 });
      expect(found.open.map((entry) => entry.id)).toEqual([...open]);
      expect(found.upTo).toBe(count);
      // The checkpoint of a killed process must be as good as that of one that ended in order: leave it alone every other time.
      if (round % 2 === 0) await spool.close();
      expect(await verifyChain(folder, { head: spool.head() })).toMatchObject({
        ok: true,
        lines: count,
        unfinished: 0,
      });
      if (round % 2 === 1) await spool.close();
    }
    expect(acked.size).toBeGreaterThan(2000);
    expect((await segmentsOf(folder)).length).toBeGreaterThan(3);
  }, 120_000);

  it('frees the folder; until then nobody else can write to it', async () => {
    const folder = join(await folderOfTest(), 'spool');
    const { child, output } = start(folder, 1);
    await expect.poll(output).toMatch(/^ready\n/);
    await expect(openSpool(folder)).rejects.toThrow(`\`${folder}\` is in use by process \`${child.pid}\``);
    child.kill('SIGKILL');
    await once(child, 'close');
    const spool = await openSpool(folder);
    await spool.close();
    expect(await readdir(folder)).toContain('writer.pid');
  }, 20_000);
});
