import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Recent } from '../../../gateway/domain/recent.ts';

describe('what was used lately', () => {
  it('holds at least as many names as it should and at most twice as many', () => {
    const recent = new Recent<number>(10);
    for (let n = 0; n < 1000; n += 1) {
      recent.set(`n${n}`, n);
      for (let back = 0; back < Math.min(n, 9); back += 1) expect(recent.get(`n${n - back}`)).toBe(n - back);
    }
    const left = Array.from({ length: 1000 }, (_, n) => recent.get(`n${n}`)).filter((value) => value !== undefined);
    expect(left.length).toBeLessThanOrEqual(20);
  });

  it('keeps a name that is asked for, whatever else comes', () => {
    const recent = new Recent<string>(4);
    recent.set('kept', 'here');
    for (let n = 0; n < 100; n += 1) {
      recent.set(`n${n}`, '');
      expect(recent.get('kept')).toBe('here');
    }
  });

  it('never says what was not set last', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.nat())), (steps) => {
        const last = new Map<string, number>();
        const recent = new Recent<number>(3);
        for (const [name, value] of steps) {
          recent.set(name, value);
          last.set(name, value);
          for (const other of 'abcde') expect([undefined, last.get(other)]).toContain(recent.get(other));
        }
      }),
    );
  });
});
