import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Edit } from '../../../gateway/domain/action.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { type Splice, splice, spliceAll } from '../../../gateway/domain/json-splice.ts';
import { pointerTokens } from '../../../gateway/domain/pointer.ts';
import { applyEdits } from '../../../gateway/policy/apply-edits.ts';
import { stopwatch } from '../../support/stopwatch.ts';

const NAMES = ['a', 'b', 'c/d', '~', '0', '1', '-'];
const json = fc.letrec<{ v: Json }>((tie) => ({
  v: fc.oneof(
    { depthSize: 'medium' },
    fc.integer(),
    fc.constantFrom<Json>('x', 'a"]}', null, true),
    fc.array(tie('v'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...NAMES), tie('v'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).v;
const token = fc.constantFrom('a', 'b', 'c~1d', '~0', '0', '1', '2', '3', '-');
const edit: fc.Arbitrary<Edit> = fc
  .record({
    at: fc.array(token, { maxLength: 3 }).map((tokens) => tokens.map((one) => `/${one}`).join('')),
    value: fc.constantFrom<Json | undefined>(undefined, undefined, null, 7, ['n'], { a: { b: 1 } }),
  })
  .map(({ at, value }) => (value === undefined ? { op: 'remove', at } : { op: 'set', at, value }));
const spliceOf = (one: Edit): Splice =>
  one.op === 'set' ? { at: one.at, json: JSON.stringify(one.value) } : { at: one.at, remove: true };

/** The value, or undefined where an edit has nowhere to land. */
function outcome<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

type Mutable = Record<string, Json> | Json[];
/** One edit made in place, told without trees and texts. `-` appends. */
function byHand(target: Json, one: Edit): Json | undefined {
  const tokens = pointerTokens(one.at);
  const last = tokens.pop();
  if (last === undefined) return one.op === 'set' ? one.value : undefined;
  const root = structuredClone(target);
  let at: Json | undefined = root;
  for (const name of tokens)
    at =
      typeof at === 'object' && at !== null && Object.hasOwn(at, name) && name !== 'length'
        ? (at as never)[name]
        : undefined;
  if (typeof at !== 'object' || at === null) return undefined;
  const there = Object.hasOwn(at, last);
  const list = Array.isArray(at) ? (at as Json[]) : undefined;
  if (one.op === 'remove') {
    if (!there) return undefined;
    if (list) list.splice(Number(last), 1);
    else delete (at as Record<string, Json>)[last];
  } else if (list && last === '-') list.push(one.value);
  else if (list && !there) return undefined;
  else (at as Mutable as Record<string, Json>)[last] = one.value;
  return root;
}

/** Mostly edits that land: the later ones are chosen among what the ones before it left. */
const landing = fc.tuple(json, fc.array(edit, { maxLength: 40 })).map(([target, edits]) => {
  let now: Json | undefined = target;
  const made: Edit[] = [];
  for (const one of edits) {
    const next: Json | undefined = now === undefined ? undefined : byHand(now, one);
    if (next === undefined) continue;
    now = next;
    made.push(one);
  }
  return { target, made, result: now };
});

describe('many splices', () => {
  it('are what they are one after the other', () => {
    fc.assert(
      fc.property(landing, fc.constantFrom(undefined, 2), ({ target, made, result }, space) => {
        const text = JSON.stringify(target, undefined, space);
        const after = spliceAll(text, made.map(spliceOf));
        expect(JSON.parse(after)).toEqual(result);
        if (space === undefined) expect(after).toBe(made.map(spliceOf).reduce(splice, text));
        // in a value there is no appending
        if (made.every(({ at }) => !at.endsWith('/-'))) expect(applyEdits(target, made)).toEqual(result);
      }),
      { numRuns: 3000 },
    );
  });

  it('have nowhere to land where one of them has nowhere', () => {
    fc.assert(
      fc.property(json, fc.array(edit, { minLength: 1, maxLength: 4 }), (target, edits) => {
        const text = JSON.stringify(target);
        const expected = edits.reduce<Json | undefined>(
          (now, one) => (now === undefined ? now : byHand(now, one)),
          target,
        );
        const after = outcome(() => spliceAll(text, edits.map(spliceOf)));
        expect(after === undefined ? undefined : JSON.parse(after)).toEqual(expected);
      }),
      { numRuns: 3000 },
    );
  });

  it('leave every other byte as it was', () => {
    const text = ' { "a" : [ 1 , 2.0e0 , { "x" : "\\u0041" } , 4 ] , "b":{ } ,"c": 1e2 }\n';
    expect(
      spliceAll(text, [
        { at: '/a/3', remove: true },
        { at: '/a/1', json: '"two"' },
        { at: '/a/0', remove: true },
        { at: '/b/new', json: 'null' },
        { at: '/b/more', json: '[]' },
      ]),
    ).toBe(' { "a" : [ "two" , { "x" : "\\u0041" } ] , "b":{"new":null,"more":[] } ,"c": 1e2 }\n');
    expect(
      spliceAll(text, [
        { at: '/b', remove: true },
        { at: '/a', remove: true },
        { at: '/c', remove: true },
      ]),
    ).toBe(' {}\n');
  });

  it('take one walk through the text, and one copy of the value', () => {
    const list = Array.from({ length: 20_000 }, (_, i) => ({ role: 'user', name: 'n', content: `text ${i}` }));
    const edits = list.flatMap((_, i): Edit[] => [
      { op: 'set', at: `/messages/${i}/content`, value: 'x' },
      { op: 'remove', at: `/messages/${i}/name` },
      { op: 'set', at: `/messages/${i}/kind`, value: null },
    ]);
    const gone = list.map((_, i): Edit => ({ op: 'remove', at: `/messages/${list.length - 1 - i}` }));
    const took = stopwatch();
    const body = { messages: list };
    const expected = { messages: list.map(({ role }) => ({ role, content: 'x', kind: null })) };
    expect(applyEdits(body, edits)).toEqual(expected);
    expect(JSON.parse(spliceAll(JSON.stringify(body), edits.map(spliceOf)))).toEqual(expected);
    expect(applyEdits(body, gone)).toEqual({ messages: [] });
    expect(spliceAll(JSON.stringify(body), gone.map(spliceOf))).toBe('{"messages":[]}');
    // one walk for each would take minutes
    expect(took()).toBeLessThan(5000);
  });
});
