import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { OpenSpool } from '../../../gateway/audit/file-spool.ts';
import { type ShipperOptions, startShipper } from '../../../gateway/audit/shipper.ts';
import { openSpool } from '../../../gateway/audit/spool.ts';
import type { AuditSink } from '../../../gateway/ports/audit-sink.ts';
import type { StoredLine } from '../../../gateway/ports/spool.ts';
import { stopwatch } from '../../support/stopwatch.ts';
import { event } from './entries.ts';
import { folderOfTest, memoryLog } from './records.ts';

/** A sink that does with its n-th batch (from 0) what it is told, and remembers what it took. */
class TestSink implements AuditSink {
  readonly name = 'test';
  readonly taken: StoredLine[] = [];
  readonly batches: number[][] = [];
  readonly act: (n: number, signal: AbortSignal, take: () => void) => unknown;
  calls = 0;
  open = 0;
  closed = 0;

  constructor(act: (n: number, signal: AbortSignal, take: () => void) => unknown = (_n, _signal, take) => take()) {
    this.act = act;
  }

  async send(lines: readonly StoredLine[], signal: AbortSignal): Promise<void> {
    this.open += 1;
    expect(this.open, 'only one batch under way').toBe(1);
    expect(signal.aborted, 'nothing is sent when time is up').toBe(false);
    const seqs = lines.map((line) => line.seq);
    expect(seqs).toEqual(seqs.map((_, i) => (seqs[0] as number) + i));
    this.batches.push(seqs);
    try {
      await this.act(this.calls++, signal, () => this.taken.push(...lines));
    } finally {
      this.open -= 1;
    }
  }

  async close(): Promise<void> {
    this.closed += 1;
  }

  seqs(): number[] {
    return this.taken.map((line) => line.seq);
  }
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);
const down = () => {
  throw new Error('down');
};
const hang = (signal: AbortSignal) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));

async function setting(lines: number, segmentBytes = 3000) {
  const folder = await folderOfTest();
  const spool = await openSpool(join(folder, 'spool'), { segmentBytes, sync: false });
  const add = (count: number) => Promise.all(upTo(count).map((i) => spool.append(event(`e${i}`))));
  await add(lines);
  const metrics = { shipped: vi.fn(), shipLag: vi.fn(), shipFailure: vi.fn() };
  const log = memoryLog();
  const cursorFile = join(folder, 'cursor-test.json');
  const ship = (sink: AuditSink, more: Partial<ShipperOptions> = {}) =>
    startShipper({ spool, sink, cursorFile, metrics, log, lingerMs: 5, backoffMs: 40, stopMs: 400, ...more });
  return { spool, folder: join(folder, 'spool'), add, metrics, log, cursorFile, ship };
}

const until = (what: () => boolean) => expect.poll(what, { interval: 5 }).toBe(true);

describe('shipper', () => {
  it('ships what there is and what comes, in order, and says how far it is', async () => {
    const { spool, add, ship, metrics, cursorFile } = await setting(30);
    const sink = new TestSink();
    const shipper = await ship(sink, { batchLines: 7 });
    await until(() => shipper.lag() === 0);
    await add(25);
    await until(() => shipper.lag() === 0);
    expect(sink.seqs()).toEqual(upTo(55));
    expect(Math.max(...sink.batches.map((batch) => batch.length))).toBe(7);
    const texts: string[] = [];
    for await (const line of spool.read(1)) texts.push(line.text);
    expect(sink.taken.map((line) => line.text)).toEqual(texts);
    expect(metrics.shipped.mock.calls.reduce((sum, [name, lines]) => sum + (name === 'test' ? lines : 0), 0)).toBe(55);
    expect(metrics.shipLag).toHaveBeenLastCalledWith('test', 0);
    await shipper.stop();
    expect(sink.closed).toBe(1);
    expect(JSON.parse(await readFile(cursorFile, 'utf8'))).toEqual(spool.head());
    await spool.close();
  });

  it('goes on behind the cursor after a restart', async () => {
    const { spool, add, ship } = await setting(20);
    await (await ship(new TestSink())).stop();
    await add(5);
    const sink = new TestSink();
    await (await ship(sink)).stop();
    expect(sink.seqs()).toEqual([21, 22, 23, 24, 25]);
    await spool.close();
  });

  it('keeps batches under their size, a larger line alone', async () => {
    const { spool, ship } = await setting(0);
    const sizes = [10, 3000, 10, 400, 400, 400, 10];
    for (const size of sizes) await spool.append(event('e', { pad: 'ü'.repeat(size / 2) }));
    const sink = new TestSink();
    await (await ship(sink, { batchBytes: 1500 })).stop();
    expect(sink.batches).toEqual([[1], [2], [3, 4], [5, 6], [7]]);
    await spool.close();
  });

  it('sends a batch again until it is taken, waits longer each time, and loses and skips nothing', async () => {
    const { spool, add, ship, metrics, log } = await setting(10);
    const times: number[] = [];
    const sink = new TestSink((n, _signal, take) => {
      times.push(performance.now());
      return n < 6 ? down() : take();
    });
    const shipper = await ship(sink, { backoffMs: 1000 });
    await add(10);
    await until(() => shipper.lag() === 0);
    expect(sink.seqs()).toEqual(upTo(20));
    expect(sink.batches.slice(0, 7)).toEqual(Array(7).fill(sink.batches[0]));
    expect(metrics.shipFailure).toHaveBeenCalledTimes(6);
    expect(
      log.messages.filter((message) => message.includes('sent again') && message.includes('"why":"down"')),
    ).toHaveLength(6);
    const waits = times.slice(1, 7).map((time, i) => time - (times[i] as number));
    for (const [i, wait] of waits.entries()) expect(wait).toBeGreaterThanOrEqual(5 * 2 ** i - 1);
    await shipper.stop();
    await spool.close();
  });

  it('while the sink is down holds one batch, reads no further, and appends go on', async () => {
    const { spool, add, ship, metrics } = await setting(5000, 200_000);
    let isDown = true;
    const sink = new TestSink((_n, _signal, take) => (isDown ? down() : take()));
    let read = 0;
    const watched: Pick<OpenSpool, 'head' | 'read' | 'readMany' | 'subscribe'> = {
      head: () => spool.head(),
      read: (from) => spool.read(from),
      subscribe: (listener) => spool.subscribe(listener),
      async *readMany(from) {
        for await (const lines of spool.readMany(from)) {
          read += lines.length;
          yield lines;
        }
      },
    };
    const shipper = await ship(sink, { spool: watched, batchLines: 50 });
    for (let i = 0; i < 5; i += 1) await add(1000);
    await until(() => sink.calls > 5);
    expect(shipper.lag()).toBe(10_000);
    expect(read).toBeLessThan(2500);
    await expect.poll(() => metrics.shipLag.mock.lastCall).toEqual(['test', 10_000]);
    isDown = false;
    await until(() => shipper.lag() === 0);
    expect(sink.seqs()).toEqual(upTo(10_000));
    await shipper.stop();
    await spool.close();
  });

  it('gives a hanging send up and sends again', async () => {
    const { spool, ship } = await setting(10);
    const sink = new TestSink((n, signal, take) => (n === 0 ? hang(signal) : take()));
    const shipper = await ship(sink, { sendMs: 20 });
    await until(() => shipper.lag() === 0);
    expect(sink.seqs()).toEqual(upTo(10));
    expect(sink.calls).toBe(2);
    await shipper.stop();
    await spool.close();
  });

  it('delivers at least once and in order, whatever the sink does', async () => {
    const acts = fc.array(fc.constantFrom('take', 'refuse', 'take and fail', 'hang', 'slow'), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(
        acts,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 0, max: 25 }),
        async (plan, batchLines, stopAfter) => {
          const { spool, add, ship } = await setting(13);
          const sink = new TestSink(async (n, signal, take) => {
            const act = plan[n] ?? 'take';
            if (act === 'hang') await hang(signal);
            if (act === 'slow') await sleep(3);
            if (act !== 'refuse') take();
            if (act === 'refuse' || act === 'take and fail') down();
          });
          const quick = { batchLines, sendMs: 8, backoffMs: 100, lingerMs: 0 };
          // Stopped at some moment, without time to finish, and started anew: what was taken may come twice, never not at all.
          const first = await ship(sink, { ...quick, stopMs: 0 });
          await sleep(stopAfter);
          await first.stop();
          await add(8);
          const second = await ship(sink, quick);
          await until(() => second.lag() === 0);
          await second.stop();
          const seqs = sink.seqs();
          expect([...new Set(seqs)]).toEqual(upTo(21));
          for (const [i, seq] of seqs.entries()) expect(seq).toBeLessThanOrEqual((seqs[i - 1] ?? 0) + 1);
          await spool.close();
        },
      ),
      { numRuns: 25 },
    );
  }, 60_000);

  it('on stop ships what is left', async () => {
    const { spool, ship, add } = await setting(0);
    const sink = new TestSink(async (_n, _signal, take) => {
      await sleep(5);
      take();
    });
    const shipper = await ship(sink, { batchLines: 10, lingerMs: 5000, stopMs: 3000 });
    await add(100);
    await shipper.stop();
    expect(sink.seqs()).toEqual(upTo(100));
    await spool.close();
  });

  it('on stop wakes from a long wait and tries again at once', async () => {
    const { spool, ship } = await setting(5);
    const sink = new TestSink((n, _signal, take) => (n === 0 ? down() : take()));
    const shipper = await ship(sink, { backoffMs: 1_000_000 });
    await until(() => sink.calls === 1);
    await shipper.stop();
    expect(sink.seqs()).toEqual(upTo(5));
    await spool.close();
  });

  it('stops in a bounded time, even where the sink ignores its signal, and says what is left', async () => {
    for (const act of [(_n: number, signal: AbortSignal) => hang(signal), () => new Promise(() => {}), down]) {
      const { spool, ship, log, cursorFile } = await setting(10);
      const sink = new TestSink(act);
      const shipper = await ship(sink, { stopMs: 100 });
      await until(() => sink.calls > 0);
      const took = stopwatch();
      await Promise.all([shipper.stop(), shipper.stop()]);
      expect(took()).toBeLessThan(1000);
      expect(sink.closed).toBe(1);
      expect(log.messages.at(-1)).toBe(
        'lines are left: they are shipped after the next start {"sink":"test","lag":10}',
      );
      await expect(readFile(cursorFile)).rejects.toThrow('ENOENT');
      await spool.close();
    }
  });

  it('ships on and warns where the cursor cannot be saved', async () => {
    const { spool, ship, log, cursorFile } = await setting(10);
    const sink = new TestSink();
    const shipper = await ship(sink, { cursorFile: join(cursorFile, 'no', 'folder') });
    await until(() => shipper.lag() === 0);
    await shipper.stop();
    expect(sink.seqs()).toEqual(upTo(10));
    expect(log.messages).toEqual([expect.stringContaining('some lines are shipped twice')]);
    await spool.close();
  });

  it('refuses an unreadable cursor, naming the file and the way out', async () => {
    const { spool, ship, cursorFile } = await setting(1);
    for (const text of ['', '{', '[]', '{"seq":-1,"hash":""}', '{"seq":1}']) {
      await writeFile(cursorFile, text);
      await expect(ship(new TestSink())).rejects.toThrow(`the cursor \`${cursorFile}\` is unreadable: delete it`);
    }
    await spool.close();
  });

  it('starts over where the cursor belongs to another record, and says so', async () => {
    const { spool, ship, log, cursorFile } = await setting(5);
    for (const saved of [
      { seq: 3, hash: 'f'.repeat(64) },
      { seq: 99, hash: spool.head().hash },
    ]) {
      await writeFile(cursorFile, JSON.stringify(saved));
      const sink = new TestSink();
      await (await ship(sink)).stop();
      expect(sink.seqs()).toEqual(upTo(5));
      expect(log.messages.pop()).toContain('the cursor belongs to another record');
      await rm(cursorFile);
    }
    await spool.close();
  });

  it('waits, loudly, where the record cannot be read, and passes over nothing', async () => {
    const { spool, folder, ship, log, metrics } = await setting(0, 600);
    for (const i of upTo(9)) await spool.append(event(`e${i}`));
    const first = join(folder, 'spool-000000000001.jsonl');
    const sound = await readFile(first);
    await writeFile(first, sound.subarray(0, 10));
    const sink = new TestSink();
    const shipper = await ship(sink);
    await until(() => metrics.shipFailure.mock.calls.length > 2);
    expect(sink.calls).toBe(0);
    expect(log.messages[0]).toContain('the record cannot be read for shipping');
    await writeFile(first, sound);
    await until(() => shipper.lag() === 0);
    expect(sink.seqs()).toEqual(upTo(9));
    await shipper.stop();
    await spool.close();
  });
});
