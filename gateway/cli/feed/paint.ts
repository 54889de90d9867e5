/** How sure a reader may be at a glance: went through, was changed, was stopped, matters less. */
export type Tone = 'good' | 'care' | 'bad' | 'strong' | 'dim' | 'plain';

const CODES: Readonly<Record<Tone, readonly [string, string]>> = {
  good: ['\x1b[32m', '\x1b[39m'],
  care: ['\x1b[33m', '\x1b[39m'],
  bad: ['\x1b[1;31m', '\x1b[22;39m'],
  strong: ['\x1b[1m', '\x1b[22m'],
  dim: ['\x1b[2m', '\x1b[22m'],
  plain: ['', ''],
};

/** The text in a tone's colour, or as it is where colour is off. */
export function paint(text: string, tone: Tone, colour: boolean): string {
  if (!colour || tone === 'plain' || text === '') return text;
  const [on, off] = CODES[tone];
  return `${on}${text}${off}`;
}

/** Names come from callers and models: nothing in them may move the cursor, ring or turn the writing direction. */
export const harmless = (text: string): string => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');

/** At most `width` characters, the last one `…` where something was left out. */
export function clip(text: string, width: number): string {
  const characters = [...text];
  if (characters.length <= width) return text;
  return width <= 0 ? '' : `${characters.slice(0, width - 1).join('')}…`;
}

/** Exactly `width` characters, padded on the right or, with `right`, on the left. */
export function cell(text: string, width: number, right = false): string {
  const shown = clip(text, width);
  const gap = ' '.repeat(Math.max(0, width - [...shown].length));
  return right ? gap + shown : shown + gap;
}
