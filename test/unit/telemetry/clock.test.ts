import { afterEach, describe, expect, it, vi } from 'vitest';
import { epochMs } from '../../../gateway/domain/scalars.ts';
import type { Clock } from '../../../gateway/ports/clock.ts';
import { createIds, systemClock } from '../../../gateway/telemetry/clock.ts';

afterEach(() => void vi.restoreAllMocks());

const clockAt = (ms: number): { clock: Clock; set(to: number): void } => {
  let now = ms;
  return {
    clock: { now: () => epochMs(now), ticks: () => now },
    set: (to) => {
      now = to;
    },
  };
};

describe('systemClock', () => {
  it('tells the wall time and never goes back', () => {
    const clock = systemClock();
    expect(Math.abs(clock.now() - Date.now())).toBeLessThan(1_000);
    const before = clock.now();
    vi.spyOn(Date, 'now').mockReturnValue(before - 60_000);
    expect(clock.now()).toBe(before);
    vi.spyOn(Date, 'now').mockReturnValue(before + 5);
    expect(clock.now()).toBe(before + 5);
  });

  it('counts durations in milliseconds', () => {
    const clock = systemClock();
    const first = clock.ticks();
    expect(clock.ticks()).toBeGreaterThanOrEqual(first);
  });
});

describe('createIds', () => {
  it('makes 26 Crockford digits behind a word', () => {
    const ids = createIds(systemClock());
    expect(ids.call()).toMatch(/^call_[0-9a-hjkmnp-tv-z]{26}$/);
    expect(ids.run()).toMatch(/^run_[0-9a-hjkmnp-tv-z]{26}$/);
    expect(ids.key()).toMatch(/^key_[0-9a-hjkmnp-tv-z]{26}$/);
  });

  it('begins with the time, as ULIDs do', () => {
    const { clock } = clockAt(1_469_922_850_259);
    expect(createIds(clock).call().slice(5, 15)).toBe(timeOf(1_469_922_850_259));
  });

  it('are distinct and sorted, inside one millisecond, over several, and when the clock is set back', () => {
    const { clock, set } = clockAt(1_700_000_000_000);
    const ids = createIds(clock);
    const made: string[] = [];
    for (let i = 0; i < 5_000; i += 1) {
      if (i % 1_000 === 999) set(1_700_000_000_000 + (i % 2_000 === 999 ? i : -i));
      made.push(ids.call());
    }
    expect(new Set(made).size).toBe(made.length);
    expect([...made].sort()).toEqual(made);
  });

  it('two processes do not meet in one millisecond', () => {
    const { clock } = clockAt(1_700_000_000_000);
    const [one, other] = [createIds(clock), createIds(clock)];
    const made = Array.from({ length: 1_000 }, () => [one.call(), other.call()]).flat();
    expect(new Set(made).size).toBe(2_000);
  });
});

function timeOf(ms: number): string {
  return [...ms.toString(32).padStart(10, '0')]
    .map((digit) => '0123456789abcdefghjkmnpqrstvwxyz'.charAt(Number.parseInt(digit, 32)))
    .join('');
}
