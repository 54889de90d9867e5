import type { Random } from './random.ts';

/** Characters on which readers trip. */
const ODD = [
  ...'\n\t "\'\\{}[]:,-|>&*#!%@`()?+.0123456789aAzZ_/~<=',
  '\u0000',
  '\u00e9',
  '\u200b',
  '\u2028',
  '\ud800',
  '\u{1f600}',
  '\r\n',
  '  ',
];

type Step = (text: string, random: Random, words: readonly string[], other: string) => string;

/** A stretch: mostly short, sometimes long. */
function stretch(text: string, random: Random): readonly [number, number] {
  const from = random.int(text.length + 1);
  const most = random.int(4) === 0 ? text.length : 12;
  return [from, Math.min(text.length, from + 1 + random.int(most))];
}

/** Where a line begins. */
function lineStart(text: string, random: Random): number {
  return text.lastIndexOf('\n', random.int(text.length + 1)) + 1;
}

const lineEnd = (text: string, start: number): number => {
  const end = text.indexOf('\n', start);
  return end === -1 ? text.length : end + 1;
};

const STEPS: readonly Step[] = [
  (text, random) => {
    const [from, to] = stretch(text, random);
    return text.slice(0, from) + text.slice(to);
  },
  (text, random) => {
    const [from, to] = stretch(text, random);
    const at = random.int(text.length + 1);
    return text.slice(0, at) + text.slice(from, to) + text.slice(at);
  },
  (text, random, words) => {
    const at = random.int(text.length + 1);
    return text.slice(0, at) + random.pick(words) + text.slice(at);
  },
  (text, random, words) => {
    const [from, to] = stretch(text, random);
    return text.slice(0, from) + random.pick(words) + text.slice(to);
  },
  (text, random) => {
    const at = random.int(text.length + 1);
    return text.slice(0, at) + random.pick(ODD) + text.slice(at + random.int(2));
  },
  (text, random) => {
    const at = random.int(text.length + 1);
    return (
      text.slice(0, at) + String.fromCharCode((text.charCodeAt(at) || 0) ^ (1 << random.int(7))) + text.slice(at + 1)
    );
  },
  (text, random) => {
    const [from, to] = stretch(text, random);
    return text.slice(0, from) + text.slice(from, to).repeat(1 + random.int(8)) + text.slice(to);
  },
  (text, random, _, other) => text.slice(0, random.int(text.length + 1)) + other.slice(random.int(other.length + 1)),
  (text, random, _, other) => {
    const [from, to] = stretch(other, random);
    const at = random.int(text.length + 1);
    return text.slice(0, at) + other.slice(from, to) + text.slice(at);
  },
  (text, random) => {
    const start = lineStart(text, random);
    return text.slice(0, start) + text.slice(lineEnd(text, start));
  },
  (text, random) => {
    const start = lineStart(text, random);
    const at = lineStart(text, random);
    return text.slice(0, at) + text.slice(start, lineEnd(text, start)) + text.slice(at);
  },
  (text, random) =>
    text.replace(/\d+/, () =>
      random.pick(['0', '1', '-1', '5', '1e999', '1.5', '99999999999999999999', '0x10', '1_0']),
    ),
];

/** The text changed in one to several places. */
export function mutate(text: string, random: Random, words: readonly string[], other: string, most: number): string {
  let changed = text;
  for (let n = 1 + random.int(1 << random.int(4)); n > 0; n -= 1)
    changed = random.pick(STEPS)(changed, random, words, other);
  return changed.slice(0, most);
}
