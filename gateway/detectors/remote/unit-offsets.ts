import type { Json } from '../../domain/json.ts';

/** Turns offsets that count characters (code points) into offsets of a JavaScript text; undefined for what is no place in the text. */
export function unitOffsets(text: string): (codePoints: Json | undefined) => number | undefined {
  const starts = /[\ud800-\udbff]/.test(text) ? startsOf(text) : undefined;
  const last = starts ? starts.length - 1 : text.length;
  return (at) => {
    if (typeof at !== 'number' || !Number.isInteger(at) || at < 0 || at > last) return undefined;
    return starts ? starts[at] : at;
  };
}

function startsOf(text: string): number[] {
  const starts: number[] = [];
  let at = 0;
  for (const character of text) {
    starts.push(at);
    at += character.length;
  }
  starts.push(at);
  return starts;
}
