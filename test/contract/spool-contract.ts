import { describe, expect, it } from 'vitest';
import { Fault } from '../../gateway/domain/fault.ts';
import type { Spool, SpoolLine } from '../../gateway/ports/spool.ts';
import { event } from '../unit/audit/entries.ts';
import { linesOf } from '../unit/audit/records.ts';

/** What the suite needs of an implementation: a new record, and the same record after its process ended. */
export interface SpoolBackend {
  readonly name: string;
  make(): Promise<{ spool: Spool; reopen(): Promise<Spool> }>;
}

/** The behaviour that every spool has. */
export function spoolContract(backend: SpoolBackend): void {
  describe(`spool contract: ${backend.name}`, () => {
    it('is empty at first', async () => {
      const { spool } = await backend.make();
      expect(spool.head()).toEqual({ seq: 0, hash: '0'.repeat(64) });
      expect(await linesOf(spool)).toEqual([]);
      expect(spool.healthy()).toBe(true);
      await spool.close();
    });

    it('numbers lines from 1 in the order of the calls, however many are under way', async () => {
      const { spool } = await backend.make();
      const told = await Promise.all(Array.from({ length: 300 }, (_, i) => spool.append(event(`e${i}`, { i }))));
      expect(told.map((line) => line.seq)).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
      expect(told.map((line) => line.entry)).toEqual(told.map((_, i) => event(`e${i}`, { i })));
      expect(new Set(told.map((line) => line.hash)).size).toBe(300);
      expect(spool.head()).toEqual({ seq: 300, hash: told[299]?.hash });
      expect(await linesOf(spool)).toEqual(told);
      await spool.close();
    });

    it('reads from any line on, and nothing from behind the head', async () => {
      const { spool } = await backend.make();
      const told: SpoolLine[] = [];
      for (let i = 0; i < 20; i += 1) told.push(await spool.append(event(`e${i}`)));
      for (let from = 1; from <= 20; from += 1) expect(await linesOf(spool, from)).toEqual(told.slice(from - 1));
      expect(await linesOf(spool, 0)).toEqual(told);
      expect(await linesOf(spool, 21)).toEqual([]);
      await spool.close();
    });

    it('tells subscribers each durable line once and in order, until they stop', async () => {
      const { spool } = await backend.make();
      const [all, some]: SpoolLine[][] = [[], []];
      spool.subscribe((line) => {
        expect(spool.head().seq).toBe(line.seq);
        all!.push(line);
      });
      const stop = spool.subscribe((line) => some!.push(line));
      const first = await Promise.all([1, 2, 3].map((i) => spool.append(event(`e${i}`))));
      stop();
      const second = await spool.append(event('e4'));
      expect(all).toEqual([...first, second]);
      expect(some).toEqual(first);
      await spool.close();
    });

    it('goes on where it ended', async () => {
      const { spool, reopen } = await backend.make();
      const told = [await spool.append(event('a', { text: 'ü \u2028 "\\ \n' })), await spool.append(event('b'))];
      await spool.close();
      const again = await reopen();
      expect(again.head()).toEqual({ seq: 2, hash: told[1]?.hash });
      told.push(await again.append(event('c')));
      expect(await linesOf(again)).toEqual(told);
      await again.close();
    });

    it('makes what was queued durable before it is closed, and refuses what comes after', async () => {
      const { spool, reopen } = await backend.make();
      const told = [1, 2, 3].map((i) => spool.append(event(`e${i}`)));
      await spool.close();
      await expect(spool.append(event('late'))).rejects.toMatchObject({ code: 'TG_RECORD_UNAVAILABLE' });
      const again = await reopen();
      expect(await linesOf(again)).toEqual(await Promise.all(told));
      await again.close();
    });

    it('refuses an entry without a JSON form and goes on without a gap', async () => {
      const { spool } = await backend.make();
      const bad = event('bad', { amount: 1n as unknown as number });
      const [good, refused, next] = await Promise.allSettled([event('a'), bad, event('b')].map((e) => spool.append(e)));
      expect(good).toMatchObject({ status: 'fulfilled', value: { seq: 1 } });
      expect(refused?.status === 'rejected' && refused.reason).toBeInstanceOf(Fault);
      expect(next).toMatchObject({ status: 'fulfilled', value: { seq: 2 } });
      await spool.close();
    });
  });
}
