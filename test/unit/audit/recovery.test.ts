import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { iterateFrom, scanOpen } from '../../../gateway/audit/recovery.ts';
import { openSpool } from '../../../gateway/audit/spool.ts';
import { begin, callId, event, seal } from './entries.ts';
import { folderOfTest } from './records.ts';

const SMALL = { segmentBytes: 5000, sync: false };

/** 300 calls, of which 7, 150 and 299 are never sealed. */
async function busy() {
  const folder = await folderOfTest();
  const spool = await openSpool(folder, SMALL);
  for (let n = 0; n < 300; n += 1) {
    await spool.append(begin(n));
    if (n % 50 === 0) await spool.append(event(`e${n}`));
    if (![7, 150, 299].includes(n)) await spool.append(seal(n));
  }
  return { folder, spool };
}

describe('scanOpen', () => {
  it('finds every open call, however old, and the seals the index lacks, in order', async () => {
    const { folder, spool } = await busy();
    await spool.close();
    const again = await openSpool(folder, SMALL);
    const seals: number[] = [];
    const since = again.head().seq - 100;
    const found = await scanOpen(again, { since, onSeal: (seq) => void seals.push(seq) });
    expect(found.open).toEqual([7, 150, 299].map(begin));
    expect(found.upTo).toBe(again.head().seq);
    expect(found.sealed).toBe(seals.length);
    expect(seals.length).toBeGreaterThan(40);
    expect(Math.min(...seals)).toBeGreaterThan(since);
    expect(seals).toEqual([...seals].sort((a, b) => a - b));
    expect((await scanOpen(again, { since: 0 })).sealed).toBe(297);
    expect((await scanOpen(again, { since: again.head().seq })).sealed).toBe(0);
    await again.append({ ...seal(7), ending: 'lapsed' });
    expect((await scanOpen(again, { since: 0 })).open).toEqual([150, 299].map(begin));
    await again.close();
  });

  it('waits for each seal to be taken before it hands over the next, and passes a failure on', async () => {
    const { spool } = await busy();
    let inside = 0;
    const onSeal = async () => {
      inside += 1;
      expect(inside).toBe(1);
      await new Promise(setImmediate);
      inside -= 1;
    };
    await scanOpen(spool, { since: 500, onSeal });
    await expect(
      scanOpen(spool, { since: 0, onSeal: () => Promise.reject(new Error('index is full')) }),
    ).rejects.toThrow('index is full');
    await spool.close();
  });

  it('is right whatever became of the checkpoint', async () => {
    const { folder, spool } = await busy();
    await spool.close();
    const path = join(folder, 'open-calls.json');
    const good = await readFile(path, 'utf8');
    const point = JSON.parse(good) as { seq: number; hash: string; open: [string, number][] };
    expect(point.open.map(([id]) => id)).toEqual([7, 150, 299].map(callId));
    const bad = [
      '',
      '{"seq":',
      '{}',
      JSON.stringify({ ...point, open: [], hash: '0'.repeat(64) }),
      JSON.stringify({ ...point, open: [], seq: point.seq + 1 }),
      JSON.stringify({ ...point, open: [], seq: 12 }),
      undefined,
    ];
    for (const text of [good, ...bad]) {
      if (text === undefined) await rm(path);
      else await writeFile(path, text);
      const again = await openSpool(folder, SMALL);
      expect((await scanOpen(again, { since: 0 })).open, text).toEqual([7, 150, 299].map(begin));
      await again.close();
      expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(point);
    }
  });

  it('reads only the lines behind the checkpoint', async () => {
    const { folder, spool } = await busy();
    await spool.close();
    // Were the first segments read, this would be noticed.
    await rm(join(folder, 'spool-000000000001.jsonl'));
    const again = await openSpool(folder, SMALL);
    expect(again.openSeqs()).toHaveLength(3);
    await again.close();
  });

  it('iterates from a line to the durable head', async () => {
    const { spool } = await busy();
    const seqs: number[] = [];
    for await (const { seq } of iterateFrom(spool, spool.head().seq - 3)) seqs.push(seq);
    expect(seqs).toEqual([3, 2, 1, 0].map((n) => spool.head().seq - n));
    await spool.close();
  });
});
