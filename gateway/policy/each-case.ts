import type { CaseText } from './case-schema.ts';

/** Stands in the values of a case for one of its `each`. */
const PLACE = '<each>';

/**
 * The cases one entry stands for: one for each text of `each`, or each character where it is one text, in the place of every `<each>`
 * in the values of the entry; the entry itself where it has none. Throws a RangeError where the name, and so the report, would not tell them apart.
 */
export function eachCase(c: CaseText): readonly CaseText[] {
  const { each } = c;
  if (each === undefined) return [c];
  if (!c.name.includes(PLACE)) throw new RangeError(`write \`${PLACE}\` into the name, so that each case has its own`);
  return [...each].map((text) => ({ ...(filled(c, text) as CaseText), each: undefined }));
}

function filled(value: unknown, text: string): unknown {
  if (typeof value === 'string') return value.replaceAll(PLACE, () => text);
  if (Array.isArray(value)) return value.map((item) => filled(item, text));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, filled(item, text)]));
}
