import type { Json } from '../domain/json.ts';
import { expandPointer, type Pointer } from '../domain/pointer.ts';
import { applyEdits } from './apply-edits.ts';

/** Arguments without the members that `volatile` names, as far as they are there: what is left says whether a call is the same again. */
export function steadyArguments(args: Json, volatile: readonly Pointer[]): Json {
  if (volatile.length === 0) return args;
  let steady = args;
  for (const pattern of volatile) {
    // the last element of an array first, so that the others keep their places
    const found = expandPointer(steady, pattern).toReversed();
    steady = applyEdits(
      steady,
      found.map((at) => ({ op: 'remove', at })),
    );
  }
  return steady;
}
