import type { Edit } from '../domain/action.ts';
import { type Splice, spliceAll } from '../domain/json-splice.ts';
import type { Pointer } from '../domain/pointer.ts';

/** Moves edits that are relative to a target to where the target stands in the body. */
export function splicesAt(base: Pointer, edits: readonly Edit[]): Splice[] {
  return edits.map((edit) =>
    edit.op === 'set' ? { at: base + edit.at, json: JSON.stringify(edit.value) } : { at: base + edit.at, remove: true },
  );
}

/**
 * Moves edits of a list of texts (`/0`, `/1` …) to the pointers the texts came from. Throws a RangeError for any other edit: there
 * is nothing else in such a target.
 */
export function editsOfTexts(places: readonly Pointer[], edits: readonly Edit[]): Edit[] {
  return edits.map((edit) => {
    const place = places[Number(edit.at.slice(1))];
    if (place === undefined || edit.op !== 'set' || typeof edit.value !== 'string')
      throw new RangeError(`an edit at \`${edit.at}\` has nowhere to land: this target is a list of texts`);
    return { op: 'set', at: place, value: edit.value };
  });
}

/** The text with all splices made. Throws a RangeError where one cannot land. */
export const land = (text: string, splices: readonly Splice[]): string =>
  splices.length === 0 ? text : spliceAll(text, splices);
