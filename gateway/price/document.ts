import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { SourceFile } from './cashier.ts';
import type { PriceProblem } from './price-fault.ts';

export type Path = readonly PropertyKey[];

/** A price file as parsed YAML: its value, and where each part of it stands. */
export interface PriceDocument {
  readonly file: string;
  /** undefined where the text is not YAML; then `problems` says why */
  readonly value: unknown;
  readonly problems: readonly PriceProblem[];
  /** A mistake in the value at `path`; a path that leads nowhere is placed at its nearest existing parent. */
  problem(path: Path, message: string): PriceProblem;
  /** A mistake in the member name `key` of the mapping at `path`. */
  keyProblem(path: Path, key: string, message: string): PriceProblem;
  /** The characters that stand at `path`, as written. */
  source(path: Path): string | undefined;
}

/** Reads YAML 1.2 and keeps positions. Never throws: syntax errors and repeated keys are problems. */
export function readDocument({ path: file, text }: SourceFile): PriceDocument {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, uniqueKeys: true, stringKeys: true, prettyErrors: false });
  const place = (offset: number, message: string): PriceProblem => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1), message };
  };
  const resolve = (node: unknown): unknown => (isAlias(node) ? node.resolve(doc) : node);
  const start = (node: unknown): number | undefined => (node as Node | null | undefined)?.range?.[0];

  /** The key and value nodes at `path`, or of the deepest part of it that exists. */
  const walk = (path: Path): { key: unknown; value: unknown } => {
    let at: { key: unknown; value: unknown } = { key: undefined, value: doc.contents };
    for (const step of path) {
      const node = resolve(at.value);
      let next: { key: unknown; value: unknown } | undefined;
      if (isMap(node)) next = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      else if (isSeq(node) && typeof step === 'number') next = { key: undefined, value: node.items[step] };
      if (next?.value === undefined || next.value === null)
        return next?.key === undefined ? at : { ...next, value: next.key };
      at = next;
    }
    return at;
  };

  const problems = [...doc.errors, ...doc.warnings].map(({ pos, message }) =>
    place(pos[0], `not valid YAML: ${message}`),
  );
  return {
    file,
    problems,
    value: problems.length > 0 ? undefined : doc.toJS({ maxAliasCount: -1 }),
    problem: (path, message) => place(start(walk(path).value) ?? 0, message),
    keyProblem: (path, key, message) => place(start(walk([...path, key]).key) ?? start(walk(path).value) ?? 0, message),
    source(path) {
      const node = walk(path).value as Node | undefined;
      return node?.range ? text.slice(node.range[0], node.range[1]) : undefined;
    },
  };
}
