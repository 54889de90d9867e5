import { appendFile, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { verifyChain } from '../../../gateway/audit/chain.ts';
import { openSpool } from '../../../gateway/audit/spool.ts';
import { stopwatch } from '../../support/stopwatch.ts';
import { event } from './entries.ts';
import { folderOfTest, linesOf, segmentsOf } from './records.ts';

async function record(count: number, segmentBytes?: number) {
  const folder = await folderOfTest();
  const spool = await openSpool(folder, { segmentBytes });
  const told = [];
  for (let i = 0; i < count; i += 1) told.push(await spool.append(event(`e${i}`)));
  await spool.close();
  const file = join(folder, (await segmentsOf(folder)).at(-1) as string);
  return { folder, file, told };
}

describe('opening a spool', () => {
  it('begins a segment when the last is full, named by its first line', async () => {
    const { folder, told } = await record(9, 600);
    const names = await segmentsOf(folder);
    expect(names).toEqual([1, 4, 7].map((first) => `spool-${String(first).padStart(12, '0')}.jsonl`));
    for (const name of names) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
    const again = await openSpool(folder, { segmentBytes: 600 });
    expect(again.recovered).toBeUndefined();
    expect(await linesOf(again)).toEqual(told);
    await again.close();
  });

  it('cuts an unfinished line off at every byte, keeps it, says so, and goes on', async () => {
    const { folder, file, told } = await record(3);
    const sound = await readFile(file);
    const start = sound.subarray(0, -1).lastIndexOf(10) + 1;
    for (let length = start + 1; length < sound.length; length += 1) {
      await writeFile(file, sound.subarray(0, length));
      const spool = await openSpool(folder);
      const saved = `${file}.torn-${start}`;
      expect(spool.recovered).toEqual({ file, offset: start, bytes: length - start, saved });
      expect(await readFile(saved)).toEqual(sound.subarray(start, length));
      expect(await linesOf(spool)).toEqual(told.slice(0, 2));
      await spool.append(event('next'));
      await spool.close();
      expect(await verifyChain(folder)).toMatchObject({ ok: true, lines: 3, unfinished: 0 });
    }
  }, 60_000);

  it('cuts off blocks that the disk never got', async () => {
    const { folder, file, told } = await record(3);
    const size = (await stat(file)).size;
    const line = (await readFile(file, 'utf8')).split('\n')[2] as string;
    await appendFile(file, Buffer.concat([Buffer.alloc(4096), Buffer.from(`${line}\n${line}\n`)]));
    const spool = await openSpool(folder);
    expect(spool.recovered).toMatchObject({ offset: size, bytes: 4096 + 2 * (Buffer.byteLength(line) + 1) });
    expect(await linesOf(spool)).toEqual(told);
    await spool.close();
  });

  it('goes on in a segment that was begun and got no line', async () => {
    const { folder, told } = await record(2);
    await writeFile(join(folder, 'spool-000000000003.jsonl'), '');
    const spool = await openSpool(folder);
    expect(spool.head().seq).toBe(2);
    told.push(await spool.append(event('next')));
    expect(await linesOf(spool)).toEqual(told);
    await spool.close();
    expect(await segmentsOf(folder)).toHaveLength(2);
    expect(await verifyChain(folder)).toMatchObject({ ok: true, lines: 3 });
  });

  it('refuses damage among whole lines, and leaves it as it is', async () => {
    const { folder, file } = await record(3);
    const sound = await readFile(file, 'utf8');
    await writeFile(file, sound.replace('"e1"', '"eX"'));
    await expect(openSpool(folder)).rejects.toThrow(
      `\`${file}\` line 2: its content does not match its hash; run \`tollgate verify\``,
    );
    expect(await readFile(file, 'utf8')).toBe(sound.replace('"e1"', '"eX"'));
    expect((await readdir(folder)).filter((name) => name.includes('torn'))).toEqual([]);
    await writeFile(file, sound);
    await (await openSpool(folder)).close();
  });

  it('refuses a record whose segments do not meet', async () => {
    const { folder } = await record(9, 600);
    const second = join(folder, 'spool-000000000004.jsonl');
    const sound = await readFile(second);
    await truncate(second, sound.length - 1);
    await expect(openSpool(folder)).rejects.toThrow('its last line is incomplete');
    await truncate(second, sound.subarray(0, -1).lastIndexOf(10) + 1);
    await expect(openSpool(folder)).rejects.toThrow('it should begin with line 6');
    await truncate(second, 0);
    await expect(openSpool(folder)).rejects.toThrow('its last line is incomplete');
  });

  it('never passes over a line that vanished from an older segment', async () => {
    const { folder } = await record(9, 600);
    const first = join(folder, 'spool-000000000001.jsonl');
    const spool = await openSpool(folder);
    await truncate(first, (await readFile(first)).subarray(0, -1).lastIndexOf(10) + 1);
    await expect(linesOf(spool)).rejects.toMatchObject({ code: 'TG_RECORD_UNAVAILABLE' });
    expect(await linesOf(spool, 4)).toHaveLength(6);
    await spool.close();
  });

  it('is refused while another spool of this process has the folder, and free after it', async () => {
    const folder = await folderOfTest();
    const spool = await openSpool(folder);
    await expect(openSpool(folder)).rejects.toThrow(`\`${folder}\` is in use by process \`${process.pid}\``);
    await spool.append(event('a'));
    await spool.close();
    const again = await openSpool(folder);
    expect(again.head().seq).toBe(1);
    await again.close();
  });

  it('finds any line of a large segment at once', async () => {
    const folder = await folderOfTest();
    const spool = await openSpool(folder, { sync: false });
    const pad = 'x'.repeat(900);
    const count = 20_000;
    for (let i = 0; i < count; i += 1000) {
      await Promise.all(
        Array.from({ length: 1000 }, (_, k) =>
          spool.append(event(`e${i + k}`, { pad: (i + k) % 997 === 0 ? pad.repeat(20) : pad })),
        ),
      );
    }
    for (const seq of [1, 2, 500, 996, 997, 998, 9_999, count - 1, count]) {
      for await (const line of spool.read(seq)) {
        expect(line).toMatchObject({ seq, entry: { name: `e${seq - 1}` } });
        break;
      }
    }
    const took = stopwatch();
    for (let i = 0; i < 50; i += 1) for await (const _ of spool.read(count - 10 - i * 300)) break;
    // A scan of 20 MB takes several times as long for one line.
    expect(took() / 50).toBeLessThan(20);
    await spool.close();
  });
});
