import type { Target } from '../target.ts';

/** A defect behind eight doors, each of which only shows once the one before is open: luck needs ages, coverage seconds. */
function walk(input: string): void {
  if (input.length < 8) return;
  if (input.charCodeAt(0) % 32 !== 3) return;
  if (input.charCodeAt(1) % 32 !== 17) return;
  if (input.charCodeAt(2) % 32 !== 5) return;
  if (input.charCodeAt(3) % 32 !== 24) return;
  if (input.charCodeAt(4) % 32 !== 9) return;
  if (input.charCodeAt(5) % 32 !== 20) return;
  if (input.charCodeAt(6) % 32 === 1) throw new Error('the way out');
}

export const target: Target = {
  words: ['a'],
  most: 64,
  boundMs: 1_000,
  run: (input) => {
    walk(input);
    return undefined;
  },
};
