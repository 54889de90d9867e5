import { readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { verifyChain } from '../../../gateway/audit/chain.ts';
import { openSpool } from '../../../gateway/audit/spool.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import type { EventEntry } from '../../../gateway/domain/receipt.ts';
import { event } from './entries.ts';
import { folderOfTest, segmentsOf } from './records.ts';

async function record(entries: readonly EventEntry[], segmentBytes: number) {
  const folder = join(await folderOfTest(), 'spool');
  const spool = await openSpool(folder, { segmentBytes, sync: false });
  // One by one, so that segments end where their size says.
  for (const entry of entries) await spool.append(entry);
  const head = spool.head();
  await spool.close();
  const files = (await segmentsOf(folder)).map((name) => join(folder, name));
  return { folder, head, files };
}

const twelve = Array.from({ length: 12 }, (_, i) => event(`e${i}`, { text: 'héllo' }));

/** Rewrites one file by its lines. */
async function edit(file: string, change: (lines: string[]) => string[]): Promise<void> {
  const lines = (await readFile(file, 'utf8')).split('\n').slice(0, -1);
  await writeFile(
    file,
    change(lines)
      .map((line) => `${line}\n`)
      .join(''),
  );
}

describe('verifyChain', () => {
  it('accepts what a spool wrote, whatever the entries say', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 });
    const detail = fc.dictionary(
      text.filter((name) => name !== '__proto__'),
      fc.jsonValue() as fc.Arbitrary<Json>,
      { maxKeys: 4 },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ name: text, detail }), { maxLength: 12 }),
        fc.integer({ min: 1, max: 4000 }),
        fc.infiniteStream(
          fc.record({
            at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
            mask: fc.integer({ min: 1, max: 255 }),
          }),
        ),
        async (made, segmentBytes, flips) => {
          const { folder, head, files } = await record(
            made.map((m) => event(m.name, m.detail)),
            segmentBytes,
          );
          const report = { ok: true, lines: made.length, firstSeq: made.length > 0 ? 1 : 0, head, unfinished: 0 };
          expect(await verifyChain(folder, { head })).toEqual(report);
          for (const file of files) {
            const sound = await readFile(file);
            const { at, mask } = flips.next().value;
            const bad = Buffer.from(sound);
            const offset = Math.floor(at * bad.length);
            bad[offset] = (bad[offset] as number) ^ mask;
            await writeFile(file, bad);
            expect((await verifyChain(folder, { head })).ok).toBe(false);
            await writeFile(file, sound);
          }
          await rm(folder, { recursive: true });
        },
      ),
      { numRuns: 40 },
    );
  }, 60_000);

  it('notices the flip of any one bit', async () => {
    const { folder, head, files } = await record(twelve.slice(0, 4), 500);
    expect(files).toHaveLength(2);
    for (const [i, file] of files.entries()) {
      const sound = await readFile(file);
      for (let offset = 0; offset < sound.length; offset += 1) {
        const bad = Buffer.from(sound);
        bad[offset] = (bad[offset] as number) ^ (1 << (offset % 8));
        await writeFile(file, bad);
        const report = await verifyChain(folder);
        const lastByte = i === files.length - 1 && offset === sound.length - 1;
        if (lastByte) expect(report).toMatchObject({ ok: true, lines: 3, unfinished: expect.any(Number) });
        else expect(report.ok, `byte ${offset} of ${file}`).toBe(false);
        expect((await verifyChain(folder, { head })).ok).toBe(false);
      }
      await writeFile(file, sound);
    }
    expect((await verifyChain(folder, { head })).ok).toBe(true);
  }, 60_000);

  it('names file and line of what was edited, taken out, swapped, doubled or put in', async () => {
    const cases: [string, (lines: string[]) => string[], object][] = [
      [
        'edited',
        (l) => l.with(1, l[1]!.replace('"e1"', '"eX"')),
        { line: 2, seq: 2, problem: 'its content does not match its hash' },
      ],
      ['taken out', (l) => l.toSpliced(1, 1), { line: 2, seq: 2, problem: 'line number 3 where 2 should be' }],
      ['first taken out', (l) => l.slice(1), { line: 1, seq: 1, problem: 'line number 2 where 1 should be' }],
      ['swapped', (l) => [l[0]!, l[2]!, l[1]!, ...l.slice(3)], { line: 2, seq: 2 }],
      ['doubled', (l) => l.toSpliced(1, 0, l[1]!), { line: 3, seq: 3 }],
      [
        'put in',
        (l) => l.toSpliced(1, 0, '{"seq":2,"entry":{}}'),
        { line: 2, seq: 2, problem: 'not a line of the record' },
      ],
      ['empty line', (l) => l.toSpliced(1, 0, ''), { line: 2, seq: 2, problem: 'not a line of the record' }],
      [
        'space',
        (l) => l.with(1, l[1]!.replace('"prev":', '"prev": ')),
        { line: 2, problem: 'not a line of the record' },
      ],
    ];
    for (const [name, change, expected] of cases) {
      const { folder, files } = await record(twelve, 1500);
      await edit(files[0] as string, change);
      expect(await verifyChain(folder), name).toMatchObject({
        ok: false,
        file: 'spool-000000000001.jsonl',
        ...expected,
      });
    }
  });

  it('notices a line that was rewritten with a hash of its own', async () => {
    const { folder, files, head } = await record(twelve, 1e6);
    const other = await record([...twelve.slice(0, 5), event('other'), ...twelve.slice(6)], 1e6);
    const lines = (await readFile(other.files[0] as string, 'utf8')).split('\n');
    await edit(files[0] as string, (l) => l.with(5, lines[5] as string));
    expect(await verifyChain(folder)).toMatchObject({
      ok: false,
      line: 7,
      problem: 'does not continue the line before it',
    });
    // A forger who rewrites everything behind it as well is caught by a head kept elsewhere.
    await writeFile(files[0] as string, lines.join('\n'));
    expect((await verifyChain(folder)).ok).toBe(true);
    expect(await verifyChain(folder, { head })).toMatchObject({
      ok: false,
      line: 12,
      problem: expect.stringContaining('vouched for'),
    });
  });

  it('notices a missing segment, wherever it was', async () => {
    const made = await record(twelve, 600);
    expect(made.files.length).toBeGreaterThan(2);
    for (const file of made.files) {
      await rename(file, `${file}.away`);
      const last = file === made.files.at(-1);
      if (last) expect((await verifyChain(made.folder)).ok).toBe(true);
      else
        expect(await verifyChain(made.folder)).toMatchObject({
          ok: false,
          line: 0,
          problem: expect.stringContaining('missing'),
        });
      expect(await verifyChain(made.folder, { head: made.head })).toMatchObject({
        ok: false,
        problem: expect.stringContaining('missing'),
      });
      await rename(`${file}.away`, file);
    }
  });

  it('accepts a record whose older segments were put away only from the place that is named', async () => {
    const { folder, files, head } = await record(twelve, 600);
    const second = (await readFile(files[1] as string, 'utf8')).split('\n')[0] as string;
    const { seq, prev } = JSON.parse(second) as { seq: number; prev: string };
    await rm(files[0] as string);
    const report = await verifyChain(folder, { before: { seq: seq - 1, hash: prev }, head });
    expect(report).toMatchObject({ ok: true, firstSeq: seq, lines: 12 - seq + 1 });
    const wrong = await verifyChain(folder, { before: { seq: seq - 1, hash: '0'.repeat(64) } });
    expect(wrong).toMatchObject({ ok: false, line: 1 });
  });

  it('notices what was cut off at the end, at any byte, with a head kept elsewhere', async () => {
    const { folder, files, head } = await record(twelve.slice(0, 4), 1e6);
    const file = files[0] as string;
    const sound = await readFile(file);
    for (let length = sound.length - 1; length >= 0; length -= 7) {
      await truncate(file, length);
      const whole = sound.subarray(0, length).toString().split('\n').length - 1;
      expect(await verifyChain(folder)).toMatchObject({ ok: true, lines: whole });
      expect(await verifyChain(folder, { head })).toMatchObject({
        ok: false,
        seq: whole + 1,
        problem: expect.stringContaining('cut off'),
      });
      await writeFile(file, sound);
    }
    // A record that has grown since still holds the line vouched for.
    const spool = await openSpool(folder);
    await spool.append(event('more'));
    await spool.close();
    expect(await verifyChain(folder, { head })).toMatchObject({ ok: true, lines: 5 });
  });

  it('runs beside a spool that writes', async () => {
    const folder = await folderOfTest();
    const spool = await openSpool(folder, { segmentBytes: 20_000 });
    let written = false;
    const writing = (async () => {
      for (let i = 0; i < 40; i += 1)
        await Promise.all(Array.from({ length: 50 }, (_, k) => spool.append(event(`e${i}.${k}`))));
      written = true;
    })();
    let runs = 0;
    while (!written) {
      const head = spool.head();
      expect(await verifyChain(folder, { head })).toMatchObject({ ok: true });
      runs += 1;
    }
    await writing;
    expect(runs).toBeGreaterThan(1);
    expect(await verifyChain(folder)).toMatchObject({ ok: true, lines: 2000 });
    await spool.close();
  });

  it('rejects where there is no folder', async () => {
    await expect(verifyChain(join(await folderOfTest(), 'none'))).rejects.toThrow('ENOENT');
  });
});
