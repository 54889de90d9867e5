import { closeSync, constants, readFileSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { verifyChain } from '../../../gateway/audit/chain.ts';
import { nodeDisk, plainDisk, type SpoolDisk } from '../../../gateway/audit/disk.ts';
import { openSpool } from '../../../gateway/audit/spool.ts';
import type { SpoolLine } from '../../../gateway/ports/spool.ts';
import { event } from './entries.ts';
import { folderOfTest, linesOf, memoryLog, segmentsOf } from './records.ts';

type Mode = 'before' | 'after' | 'short';
const eio = () => Object.assign(new Error('i/o error'), { code: 'EIO' });

/** The real disk, whose calls number `from` to `to` (from 1) fail before or after their work; a short write writes a part and fails. */
function failing(real: SpoolDisk, from: number, to: number, mode: Mode): SpoolDisk & { readonly calls: number } {
  let calls = 0;
  const { writesThrough, ...methods } = real;
  const disk = Object.fromEntries(
    Object.entries(methods).map(([name, work]) => [
      name,
      async (...args: never[]) => {
        calls += 1;
        if (calls < from || calls > to) return (work as (...args: never[]) => unknown)(...args);
        if (mode === 'short' && name === 'write') {
          const [fd, bytes, start, position] = args as unknown as [number, Buffer, number, number];
          const cut = start + Math.ceil((bytes.length - start) / 3);
          const written = await real.write(fd, bytes.subarray(0, cut), start, position);
          if (to > from) throw eio();
          return written;
        }
        if (mode !== 'before') {
          const done = await (work as (...args: never[]) => unknown)(...args);
          // A created file's number is lost with the answer; nobody can close it but us.
          if (name === 'open') closeSync(done as number);
        }
        throw eio();
      },
    ]),
  );
  const counted = Object.defineProperty({ ...disk, writesThrough }, 'calls', { get: () => calls });
  return counted as unknown as SpoolDisk & { readonly calls: number };
}

/** Appends in waves over several segments. What was refused is not tried again: nothing of it may be found later. */
async function scenario(folder: string, disk: SpoolDisk) {
  const spool = await openSpool(folder, { disk, segmentBytes: 1000, probeMs: 0 });
  const acked: SpoolLine[] = [];
  const refused: string[] = [];
  let health = true;
  for (let wave = 0; wave < 8; wave += 1) {
    const names = Array.from({ length: 1 + (wave % 3) }, (_, i) => `w${wave}.${i}`);
    const answers = await Promise.allSettled(names.map((name) => spool.append(event(name))));
    for (const [i, answer] of answers.entries()) {
      if (answer.status === 'fulfilled') acked.push(answer.value);
      else {
        expect(answer.reason).toMatchObject({ name: 'Fault', code: 'TG_RECORD_UNAVAILABLE' });
        refused.push(names[i] as string);
      }
    }
    health = answers.every((answer) => answer.status === 'fulfilled');
    expect(spool.healthy()).toBe(health);
    expect(spool.head().seq).toBe(acked.length);
    expect(await linesOf(spool)).toEqual(acked);
  }
  const closed = await spool.close().then(
    () => true,
    () => false,
  );
  return { acked, refused, closed };
}

const DISKS = { 'written through': nodeDisk, 'synced after a write': plainDisk };

describe.each(Object.entries(DISKS))('a disk that fails, %s', (_, real) => {
  for (const mode of ['before', 'after', 'short'] as const) {
    for (const length of [1, 2, 3, 5]) {
      it(`${length} call(s) in a row, ${mode} the work, from every call on: the chain has what was acknowledged and nothing else`, async () => {
        const sound = failing(real, 0, 0, mode);
        await scenario(await folderOfTest(), sound);
        expect(sound.calls).toBeGreaterThan(15);
        let refusals = 0;
        for (let n = 1; n <= sound.calls; n += 1) {
          const folder = await folderOfTest();
          const { acked, refused, closed } = await scenario(folder, failing(real, n, n + length - 1, mode));
          refusals += refused.length;
          const again = await openSpool(folder);
          const lines = await linesOf(again);
          // Only a close that said it failed may leave refused lines behind.
          if (closed) expect(lines, `call ${n}`).toEqual(acked);
          else expect(lines.slice(0, acked.length), `call ${n}`).toEqual(acked);
          await again.append(event('later'));
          await again.close();
          expect(await verifyChain(folder), `call ${n}`).toMatchObject({
            ok: true,
            lines: lines.length + 1,
            unfinished: 0,
          });
        }
        if (mode === 'short' && length === 1) expect(refusals).toBeLessThan(sound.calls);
        else expect(refusals).toBeGreaterThan(sound.calls / 2);
      }, 60_000);
    }
  }
});

describe('the real disk', () => {
  it('is written through where the system can, so that one write is all a line waits for', async () => {
    const isLinux = process.platform === 'linux';
    expect([nodeDisk.writesThrough, plainDisk.writesThrough]).toEqual([isLinux, false]);
    const fd = await nodeDisk.open(join(await folderOfTest(), 'file'), true);
    const flags = isLinux ? /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] : '0';
    expect(Number.parseInt(flags ?? '', 8) & constants.O_DSYNC).toBe(isLinux ? constants.O_DSYNC : 0);
    await nodeDisk.close(fd);
  });
});

describe('a disk that fails', () => {
  it('acknowledges nothing before the disk said that it is durable, and syncs once for all that waited', async () => {
    const done: string[] = [];
    const release: (() => void)[] = [];
    const disk: SpoolDisk = {
      ...plainDisk,
      async write(...args) {
        done.push('write');
        return plainDisk.write(...args);
      },
      async sync(fd) {
        done.push('sync');
        await new Promise<void>((resolve) => release.push(resolve));
        await plainDisk.sync(fd);
      },
    };
    const spool = await openSpool(await folderOfTest(), { disk });
    const acked: number[] = [];
    const add = (count: number) =>
      Array.from({ length: count }, (_, i) => spool.append(event(`e${i}`)).then((line) => acked.push(line.seq)));
    const first = add(3);
    await expect.poll(() => release.length).toBe(1);
    const second = add(100);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect([acked, spool.head().seq, await linesOf(spool)]).toEqual([[], 0, []]);
    release[0]?.();
    await Promise.all(first);
    expect(acked).toEqual([1, 2, 3]);
    await expect.poll(() => release.length).toBe(2);
    expect(done).toEqual(['write', 'sync', 'write', 'sync']);
    release[1]?.();
    await Promise.all(second);
    expect(acked).toHaveLength(103);
    await spool.close();
  });

  it('writes on after its file was closed behind its back', async () => {
    const fds: number[] = [];
    const disk: SpoolDisk = {
      ...nodeDisk,
      async open(path, create) {
        const fd = await nodeDisk.open(path, create);
        fds.push(fd);
        return fd;
      },
    };
    const folder = await folderOfTest();
    const spool = await openSpool(folder, { disk });
    await spool.append(event('a'));
    // Once nothing else opens files, lest the number be given away at once.
    await expect.poll(() => readdir(folder)).toContain('open-calls.json');
    closeSync(fds[0] as number);
    await expect(spool.append(event('b'))).rejects.toMatchObject({ cause: { code: 'EBADF' } });
    expect(spool.healthy()).toBe(false);
    expect(await spool.append(event('c'))).toMatchObject({ seq: 2 });
    expect(spool.healthy()).toBe(true);
    await spool.close();
    expect(await verifyChain(folder)).toMatchObject({ ok: true, lines: 2 });
  });

  it('never makes a vanished segment anew', async () => {
    const folder = await folderOfTest();
    let broken = false;
    const disk: SpoolDisk = { ...plainDisk, sync: (fd) => (broken ? Promise.reject(eio()) : plainDisk.sync(fd)) };
    const spool = await openSpool(folder, { disk, probeMs: 0 });
    await spool.append(event('a'));
    broken = true;
    await expect(spool.append(event('b'))).rejects.toThrow('`EIO`');
    broken = false;
    await rm(join(folder, (await segmentsOf(folder))[0] as string));
    await expect(spool.append(event('c'))).rejects.toThrow('`ENOENT`');
    expect(spool.healthy()).toBe(false);
    await spool.close();
    expect(await segmentsOf(folder)).toEqual([]);
  });

  it('finds out by itself when the disk is back and records the outage', async () => {
    const folder = await folderOfTest();
    let broken = true;
    const disk: SpoolDisk = {
      ...nodeDisk,
      write: (...args) => (broken ? Promise.reject(eio()) : nodeDisk.write(...args)),
    };
    const log = memoryLog();
    const spool = await openSpool(folder, { disk, log, probeMs: 5 });
    await expect(spool.append(event('a'))).rejects.toThrow();
    await expect(spool.append(event('b'))).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(spool.healthy()).toBe(false);
    broken = false;
    await expect.poll(() => spool.healthy()).toBe(true);
    expect((await linesOf(spool)).map((line) => line.entry)).toEqual([
      expect.objectContaining({
        kind: 'event',
        name: 'record_restored',
        detail: expect.objectContaining({ code: 'EIO', refused: 2 }),
      }),
    ]);
    expect(log.messages).toEqual([
      expect.stringContaining('calls are refused'),
      expect.stringContaining('can be written again'),
    ]);
    await spool.close();
  });

  it('keeps a throwing subscriber from harming anybody else', async () => {
    const log = memoryLog();
    const spool = await openSpool(await folderOfTest(), { log });
    const seen: number[] = [];
    spool.subscribe(() => {
      throw new Error('defect');
    });
    spool.subscribe((line) => seen.push(line.seq));
    await spool.append(event('a'));
    await spool.append(event('b'));
    expect(seen).toEqual([1, 2]);
    expect(log.messages).toHaveLength(2);
    await spool.close();
  });
});
