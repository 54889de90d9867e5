import { execFileSync } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { verifyChain } from '../../gateway/audit/chain.ts';
import { openSpool } from '../../gateway/audit/spool.ts';
import type { SpoolLine } from '../../gateway/ports/spool.ts';
import { event } from '../unit/audit/entries.ts';
import { folderOfTest, linesOf } from '../unit/audit/records.ts';

function mount(...args: readonly string[]): void {
  try {
    execFileSync('mount', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    const said = String((error as { stderr?: Buffer }).stderr ?? error).trim();
    throw new Error(`\`mount ${args.join(' ')}\` failed (${said}); this suite needs Linux and root`);
  }
}

it('a disk that is really full: refuses, keeps what it had, and goes on when there is room', async () => {
  const small = join(await folderOfTest(), 'small');
  await mkdir(small);
  mount('-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', small);
  onTestFinished(() => void execFileSync('umount', [small]));
  const spool = await openSpool(join(small, 'spool'), { probeMs: 0, segmentBytes: 64 * 1024 });
  const acked: SpoolLine[] = [];
  const filler = 'x'.repeat(3000);
  let refused: unknown;
  while (refused === undefined) {
    await spool.append(event('fill', { filler })).then(
      (line) => acked.push(line),
      (error) => {
        refused = error;
      },
    );
  }
  expect(refused).toMatchObject({ code: 'TG_RECORD_UNAVAILABLE', cause: { code: 'ENOSPC' } });
  expect(acked.length).toBeGreaterThan(50);
  await expect(spool.append(event('fill', { filler }))).rejects.toThrow('`ENOSPC`');
  mount('-o', 'remount,size=512k', small);
  acked.push(await spool.append(event('room', { filler })));
  expect(spool.healthy()).toBe(true);
  expect(await linesOf(spool)).toEqual(acked);
  await spool.close();
  expect(await verifyChain(join(small, 'spool'))).toMatchObject({ ok: true, lines: acked.length });
  expect(await readFile(join(small, 'spool', 'open-calls.json'), 'utf8')).toContain(`"seq":${acked.length}`);
});
