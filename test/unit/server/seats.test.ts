import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Seats, seatsByOpenFiles } from '../../../gateway/server/seats.ts';

const FILE = resolve(import.meta.dirname, '../../../gateway/server/seats.ts');

describe('seats', () => {
  it('are as many as were said, and free again when they are left', () => {
    const seats = new Seats(2);
    const [first, second] = [seats.take(), seats.take()];
    expect([first, second, seats.take()]).toEqual([expect.any(Function), expect.any(Function), undefined]);
    first?.();
    expect(seats.take()).toEqual(expect.any(Function));
    expect(seats.take()).toBeUndefined();
  });

  it('are at most 10,000 unless somebody says so', () => {
    expect(seatsByOpenFiles()).toBeGreaterThan(0);
    expect(seatsByOpenFiles()).toBeLessThanOrEqual(10_000);
  });

  it.runIf(process.platform !== 'win32').each([
    [1024, 256],
    [200, 1],
  ])('with %i files there are %i', (files, seats) => {
    const script = `import('${FILE}').then((m) => console.log(m.seatsByOpenFiles()))`;
    const said = execFileSync('sh', ['-c', `ulimit -n ${files}; exec "$0" -e "$1"`, process.execPath, script]);
    expect(Number(said)).toBe(seats);
  });
});
