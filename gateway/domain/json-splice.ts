import { children, type Span, spanOf } from './json-text.ts';
import { childPointer, type Pointer } from './pointer.ts';
import { GONE, type PointerNode, type PointerTree, steps } from './pointer-tree.ts';

/** One splice: put this JSON text at a pointer (an absent member of a present object is added; `-` appends), or remove what is there. */
export type Splice = { readonly at: Pointer; readonly json: string } | { readonly at: Pointer; readonly remove: true };

/** Text in place of a span. */
interface Insertion extends Span {
  readonly text: string;
}

/** What changes in the value at `span`, which stands at `at`; in the order of the text. */
function* insertions(text: string, span: Span, node: PointerNode<string>, at: Pointer): Generator<Insertion> {
  if (node.value === GONE) throw new RangeError('the whole document cannot be removed');
  if (node.value !== undefined) {
    yield { ...span, text: node.value };
    return;
  }
  const open = text.charCodeAt(span.start);
  if (open !== 123 && open !== 91) throw new RangeError(`\`${at}\` is no object or array`);
  const absent = new Map(node.children);
  let index = 0;
  let behind = span.start + 1;
  let keeps = false;
  /** where what is gone begins, as long as nothing before it stays */
  let gone: number | undefined;
  for (const { name, start, value } of children(text, span.start)) {
    const token = name ?? String(index);
    const inner = absent.get(token);
    absent.delete(token);
    if (inner?.value === GONE) {
      if (keeps) yield { start: behind, end: value.end, text: '' };
      else gone ??= start;
    } else {
      if (gone !== undefined) yield { start: gone, end: start, text: '' };
      gone = undefined;
      keeps = true;
      if (inner) yield* insertions(text, value, inner, childPointer(at, token));
    }
    if (absent.size === 0 && gone === undefined) return;
    index += 1;
    behind = value.end;
  }
  const added = additions(absent, open === 123, at);
  if (gone !== undefined) yield { start: span.start + 1, end: span.end - 1, text: added };
  else yield { start: behind, end: behind, text: keeps ? `,${added}` : added };
}

/** What is put behind the last member or element of the container at `at`. */
function additions(absent: PointerNode<string>['children'], isMap: boolean, at: Pointer): string {
  const items = Array.from(absent, ([token, { value }]) => {
    if (value === undefined || value === GONE) throw new RangeError(`nothing stands at \`${childPointer(at, token)}\``);
    if (isMap) return `${JSON.stringify(token)}:${value}`;
    if (token !== '-') throw new RangeError(`the array at \`${at}\` has no element \`${token}\``);
    return value;
  });
  return items.join(',');
}

function changed(text: string, tree: PointerTree<string>): string {
  let out = '';
  let done = 0;
  for (const { start, end, text: put } of insertions(text, spanOf(text, '') as Span, tree.root, '')) {
    out += text.slice(done, start) + put;
    done = end;
  }
  return out + text.slice(done);
}

/**
 * Applies splices one after the other, each pointer read against the text the ones before it left, and leaves every other byte of `text`
 * as it was. Throws a RangeError where one has nowhere to land: the parent is missing or is not a container, or what should be removed is
 * not there. Splices at many places take one walk through the text.
 */
export function spliceAll(text: string, edits: readonly Splice[]): string {
  let result = text;
  for (const tree of steps(edits, (edit) => ('json' in edit ? edit.json : undefined))) result = changed(result, tree);
  return result;
}

/** `spliceAll` for one. */
export const splice = (text: string, edit: Splice): string => spliceAll(text, [edit]);
