import { describe, expect, it } from 'vitest';
import { Flights } from '../../../../gateway/pipeline/trust/flights.ts';

const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

describe('work that many wait for', () => {
  it('is done once at a time for one key, and again the next time', async () => {
    const flights = new Flights();
    let done = 0;
    const work = async (): Promise<void> => {
      await later();
      done += 1;
    };
    await Promise.all([...Array(50).keys()].map(() => flights.join('git', work)));
    expect(done).toBe(1);
    await Promise.all([flights.join('git', work), flights.join('mail', work)]);
    expect(done).toBe(3);
  });

  it('that failed for one is tried by the next, and only its own failure is thrown', async () => {
    const flights = new Flights();
    let tries = 0;
    const work = async (): Promise<void> => {
      await later();
      tries += 1;
      if (tries < 3) throw new Error(`try ${tries}`);
    };
    const ends = await Promise.allSettled([1, 2, 3, 4].map(() => flights.join('git', work)));
    expect(ends.map((e) => (e.status === 'rejected' ? String(e.reason) : e.status))).toEqual([
      'Error: try 1',
      'Error: try 2',
      'fulfilled',
      'fulfilled',
    ]);
    expect(tries).toBe(3);
  });

  it('that throws before it begins leaves nothing behind', async () => {
    const flights = new Flights();
    const broken = (): Promise<void> => {
      throw new Error('defect');
    };
    await expect(flights.join('git', broken)).rejects.toThrow('defect');
    await expect(flights.join('git', later)).resolves.toBeUndefined();
  });
});
