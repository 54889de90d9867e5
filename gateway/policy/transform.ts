import type { Edit, TextPart } from '../domain/action.ts';
import { canonical } from '../domain/canonical.ts';
import { isArray, isObject, type Json } from '../domain/json.ts';
import { childPointer, type Pointer, pointerTokens, resolvePointer } from '../domain/pointer.ts';
import { GONE, PointerTree } from '../domain/pointer-tree.ts';
import type { Snapshot } from '../domain/snapshot.ts';
import type { OutputCap } from '../domain/verdict.ts';
import { changed } from './apply-edits.ts';
import type { Glob } from './glob.ts';
import { toolsToHide } from './hide-tools.ts';
import type { Sha256 } from './judge.ts';
import { type Landing, landings } from './landing.ts';
import type { LinearPattern } from './linear-pattern.ts';
import { notePlace } from './note-place.ts';
import { type Redaction, redact } from './redact.ts';
import type { Rehydration } from './rehydration.ts';
import { TransformFailure } from './transform-failure.ts';

/** A transform of a rule, compiled. */
export type Change =
  | { readonly op: 'redact'; readonly redaction: Redaction }
  | { readonly op: 'rehydrate'; readonly rehydration: Rehydration }
  | { readonly op: 'cap'; readonly to: OutputCap }
  | { readonly op: 'set'; readonly at: Pointer; readonly to: Json }
  | { readonly op: 'remove'; readonly at: Pointer }
  | { readonly op: 'replace'; readonly pattern: LinearPattern; readonly by: string; readonly at: Pointer | undefined }
  | { readonly op: 'truncate'; readonly at: Pointer; readonly to: number }
  | { readonly op: 'allow_only'; readonly at: Pointer; readonly of: readonly Json[] }
  | { readonly op: 'prepend'; readonly note: string; readonly at: Pointer | undefined }
  | { readonly op: 'hide'; readonly tools: readonly Glob[] };

/** What a matching rule brings to the transforms of a call. */
interface Transforming {
  readonly index: number;
  readonly layer: { readonly depth: number };
  readonly changes: readonly Change[];
}

export interface Transformed {
  readonly edits: readonly Edit[];
  readonly cap: OutputCap | undefined;
}

/**
 * Turns the transforms of all matching rules into edits of the target, to be applied in order. Redactions come first, on the
 * text detectors read; the others follow in document order, each on what the ones before it left. A bundle's parent has the first
 * word on what is redacted and the last one on everything else. A change that is already
 * true makes no edit. Throws a TransformFailure where one has nowhere to land or would touch a frozen part.
 */
export function transform(snapshot: Snapshot, rules: readonly Transforming[], sha256: Sha256): Transformed {
  const parentsFirst = rules.toSorted((a, b) => a.layer.depth - b.layer.depth);
  const redactions = parentsFirst.flatMap((r) => r.changes.flatMap((c) => (c.op === 'redact' ? [c.redaction] : [])));
  const work = new Workpiece(snapshot);
  if (redactions.length > 0)
    for (const edit of redact(snapshot, redactions, sha256)) work.edit(edit, redactions[0]?.rule ?? 0);
  let cap: OutputCap | undefined;
  for (const { index, changes } of rules.toSorted((a, b) => b.layer.depth - a.layer.depth)) {
    for (const change of changes) {
      if (change.op === 'cap') cap = tighter(cap, change.to);
      else if (change.op !== 'redact' && change.op !== 'rehydrate') make(work, change, index);
    }
  }
  return { edits: work.edits, cap };
}

/** A number is tighter than `affordable`: what is left in the budgets limits every call anyway. */
function tighter(a: OutputCap | undefined, b: OutputCap): OutputCap {
  if (a === undefined || a === 'affordable') return b;
  return b === 'affordable' ? a : Math.min(a, b);
}

const failed = (rule: number, why: string): TransformFailure =>
  new TransformFailure('runtime_error:transform_failed', rule, why);

/** The target as the edits so far left it, and where its frozen parts are now. */
class Workpiece {
  readonly edits: Edit[] = [];
  readonly #action: Snapshot['action'];
  #target: Json;
  /** what certainly lands and is not in `#target` yet */
  #due = new PointerTree<Json>();
  #frozen: readonly Pointer[];
  #ice: PointerTree<true>;

  constructor({ action }: Snapshot) {
    this.#action = action;
    this.#target = action.target;
    this.#frozen = action.parts.filter(isFrozen).map((p) => p.at);
    this.#ice = treeOf(this.#frozen);
  }

  get target(): Json {
    if (!this.#due.isEmpty) {
      this.#target = changed(this.#target, this.#due);
      this.#due = new PointerTree();
    }
    return this.#target;
  }

  /** What stands there now; undefined where nothing does. */
  at(pointer: Pointer): Json | undefined {
    return resolvePointer(this.#due.meets(pointer) ? this.target : this.#target, pointer);
  }

  get editable(): readonly Pointer[] {
    return this.#action.parts.filter((p) => !isFrozen(p)).map((p) => p.at);
  }

  edit(edit: Edit, rule: number): void {
    const { at } = edit;
    if (this.#ice.meets(at)) throw failed(rule, `\`${at}\` is or holds a part that must not change`);
    if (at === '' && edit.op === 'remove') throw failed(rule, 'the whole target cannot be removed');
    const old = this.at(at);
    if (old === undefined && !(edit.op === 'set' && isObject(this.at(parentOf(at)))))
      throw failed(rule, `\`${at}\` has nowhere to land`);
    if (edit.op === 'set' && old !== undefined && same(old, edit.value)) return;
    this.#due.add(at, edit.op === 'set' ? edit.value : GONE);
    this.edits.push(edit);
    if (edit.op === 'remove') this.#move(at);
  }

  /** An element went: where it stood among frozen parts they are elsewhere now. */
  #move(removed: Pointer): void {
    const parent = parentOf(removed);
    if (!this.#frozen.some((f) => f.startsWith(`${parent}/`)) || !isArray(this.at(parent))) return;
    this.#frozen = this.#frozen.map((f) => shifted(f, removed, parent));
    this.#ice = treeOf(this.#frozen);
  }
}

const parentOf = (pointer: Pointer): Pointer => pointer.slice(0, pointer.lastIndexOf('/'));

function treeOf(pointers: readonly Pointer[]): PointerTree<true> {
  const tree = new PointerTree<true>();
  for (const pointer of pointers) tree.add(pointer, true);
  return tree;
}

const isFrozen = ({ frozen }: TextPart): boolean => frozen !== undefined;

const same = (a: Json, b: Json): boolean =>
  a === b || (typeof a === 'object' && typeof b === 'object' && canonical(a) === canonical(b));

/** Where `pointer` leads after the element at `removed` of the array at `parent` went: later ones moved up. */
function shifted(pointer: Pointer, removed: Pointer, parent: Pointer): Pointer {
  if (!pointer.startsWith(`${parent}/`)) return pointer;
  const [token, ...rest] = pointerTokens(pointer.slice(parent.length));
  const gone = Number(pointerTokens(removed.slice(parent.length))[0]);
  const at = childPointer(parent, Number(token) > gone ? Number(token) - 1 : Number(token));
  return rest.reduce((p, t) => childPointer(p, t), at);
}

function place(work: Workpiece, at: Pointer, rule: number): readonly Landing[] {
  const found = landings(work.target, at);
  if (!found) throw failed(rule, `\`${at}\` has nowhere to land`);
  return found;
}

function make(work: Workpiece, change: Exclude<Change, { op: 'redact' | 'rehydrate' | 'cap' }>, rule: number): void {
  switch (change.op) {
    case 'set':
      for (const { at } of place(work, change.at, rule)) work.edit({ op: 'set', at, value: change.to }, rule);
      return;
    case 'remove':
      // What is not there is already removed; from the back, so that elements keep their places.
      for (const { at, value } of [...(landings(work.target, change.at) ?? [])].reverse()) {
        if (value !== undefined) work.edit({ op: 'remove', at }, rule);
      }
      return;
    case 'replace':
      for (const at of change.at === undefined ? work.editable : place(work, change.at, rule).map((l) => l.at)) {
        onText(work, at, rule, (text) => change.pattern.replaceAll(text, change.by), change.at !== undefined);
      }
      return;
    case 'truncate':
      for (const { at } of landings(work.target, change.at) ?? [])
        onText(work, at, rule, (text) => cut(text, change.to), true);
      return;
    case 'allow_only':
      for (const { at, value } of landings(work.target, change.at) ?? [])
        if (value !== undefined) narrow(work, at, value, change.of, rule);
      return;
    case 'hide':
      for (const at of toolsToHide(work.target, change.tools)) work.edit({ op: 'remove', at }, rule);
      return;
    case 'prepend':
      prepend(work, change.note, change.at ?? notePlace(work.target), rule);
  }
}

/** A note that already stands there is not written twice: a conversation is sent again with every turn. */
function prepend(work: Workpiece, note: string, at: Pointer | undefined, rule: number): void {
  if (at === undefined)
    throw failed(rule, 'the request holds no text a note could stand before; name a place with `in`');
  for (const landing of place(work, at, rule)) {
    if (landing.value === undefined) work.edit({ op: 'set', at: landing.at, value: note }, rule);
    else onText(work, landing.at, rule, (text) => (text.startsWith(note) ? text : `${note}\n\n${text}`), true);
  }
}

/** `strict`: something that is no text has nowhere for the change to land. */
function onText(work: Workpiece, at: Pointer, rule: number, by: (text: string) => string, strict: boolean): void {
  const old = work.at(at);
  if (typeof old === 'string') {
    const value = by(old);
    if (value !== old) work.edit({ op: 'set', at, value }, rule);
  } else if (strict && old !== undefined) throw failed(rule, `\`${at}\` is no text`);
}

/** The first `length` UTF-16 units, never half a character. */
function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? length - 1 : length);
}

function narrow(work: Workpiece, at: Pointer, value: Json, of: readonly Json[], rule: number): void {
  if (isArray(value)) {
    for (let i = value.length - 1; i >= 0; i -= 1) {
      if (!of.includes(value[i] as Json)) work.edit({ op: 'remove', at: childPointer(at, i) }, rule);
    }
  } else if (isObject(value)) {
    for (const name of Object.keys(value))
      if (!of.includes(name)) work.edit({ op: 'remove', at: childPointer(at, name) }, rule);
  } else throw failed(rule, `\`${at}\` is neither an array nor a map`);
}
