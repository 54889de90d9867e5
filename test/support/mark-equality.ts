import { expect } from 'vitest';
import type { MessageMark } from '../../gateway/ports/dialect.ts';

const isMark = (value: unknown): value is MessageMark =>
  typeof value === 'object' && value !== null && 'role' in value && 'canonical' in value;

/** A mark's text is worked out when it is asked for, so it is no member that `toEqual` would see: two marks are equal where it is. */
function sameMark(a: unknown, b: unknown): boolean | undefined {
  if (!isMark(a) || !isMark(b)) return undefined;
  return a.role === b.role && a.canonical === b.canonical;
}

expect.addEqualityTesters([sameMark]);
