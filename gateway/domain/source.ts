import { isCollection, isMap, isPair, isScalar, LineCounter, type Node, parseDocument } from 'yaml';

/** One mistake in a file that people write, where it is and what to do. */
export interface Problem {
  readonly file: string;
  /** from 1; 0 where the whole file is meant */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** `file:line:column message`, the form editors and terminals turn into a link. */
export const problemText = (p: Problem): string =>
  p.line === 0 ? `${p.file}: ${p.message}` : `${p.file}:${p.line}:${p.column}: ${p.message}`;

export type Path = readonly (string | number)[];

/** A YAML document with the position of every key and value kept. */
export interface Source {
  readonly file: string;
  readonly value: unknown;
  /** syntax errors; `value` is not to be used where there are any */
  readonly problems: readonly Problem[];
  /** A problem at the value a path leads to; `key: true` points at the member's name instead. */
  problem(path: Path, message: string, at?: { readonly key?: boolean; readonly offset?: number }): Problem;
}

/** Reads YAML 1.2 text; aliases are bounded, duplicate keys are errors. */
export function readSource(file: string, text: string): Source {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  const place = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const problems = [...doc.errors, ...doc.warnings].map((e) => ({
    file,
    ...place(e.pos[0]),
    message: lower(e.message),
  }));
  return {
    file,
    value: problems.length === 0 ? doc.toJS({ maxAliasCount: 100 }) : undefined,
    problems,
    problem(path, message, at = {}) {
      const offset = offsetOf(doc.contents as Node | null, path, at.key ?? false);
      return { file, ...place(offset + (at.offset ?? 0)), message };
    },
  };
}

const lower = (message: string): string => message.charAt(0).toLowerCase() + message.slice(1).replace(/\.$/, '');

/** Where a path leads in the text; the nearest parent that exists where the path leads nowhere. */
function offsetOf(root: Node | null, path: Path, key: boolean): number {
  let node: Node | null = root;
  let offset = root?.range?.[0] ?? 0;
  for (const [depth, step] of path.entries()) {
    if (!isCollection(node)) return offset;
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step),
      );
      if (!pair) return offset;
      const last = depth === path.length - 1;
      const name = pair.key as Node;
      const value = pair.value as Node | null;
      node = value;
      offset = (last && key) || !value?.range ? (name.range?.[0] ?? offset) : value.range[0];
    } else {
      const item = node.items[Number(step)] as Node | undefined;
      if (!item?.range) return offset;
      node = item;
      offset = item.range[0];
    }
  }
  return offset;
}

/** The known word nearest to `word` (Damerau-Levenshtein distance at most a third of its length), for a suggestion. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 8) return 99;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      next.push(cost);
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 99;
}
