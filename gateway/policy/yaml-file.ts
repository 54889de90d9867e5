import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
} from 'yaml';
import type { SourceFile } from './judge.ts';
import type { Problem } from './policy-fault.ts';
import { scalarOffsets } from './scalar-offsets.ts';

export type Path = readonly PropertyKey[];

const MAX_TEXT = 8 * 1_048_576;

/** A YAML text with the place of everything in it. */
export interface YamlFile {
  readonly path: string;
  /** the plain value, or undefined where the text is no YAML that can be used */
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** A problem at the value a path leads to, or at the name of that member; the nearest parent where the path leads nowhere. */
  problemAt(path: Path, message: string, where?: 'key' | 'value'): Problem;
  /** A problem inside a text value, `at` UTF-16 units from its start. */
  problemIn(path: Path, at: number, message: string): Problem;
}

/** Reads one YAML 1.2 document. Duplicate names, unknown tags, anchors and aliases are problems. */
export function readYaml({ path: file, text }: SourceFile): YamlFile {
  const lines = new LineCounter();
  const at = (offset: number, message: string): Problem => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1), message };
  };
  const unusable = (message: string): YamlFile => {
    const problem = { file, line: 1, column: 1, message };
    return { path: file, value: undefined, problems: [problem], problemAt: () => problem, problemIn: () => problem };
  };
  if (text.length > MAX_TEXT) return unusable('the file is larger than 8 MiB; split the bundle');
  let doc: Document.Parsed;
  try {
    doc = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: false });
  } catch (error) {
    return unusable(tooDeep(error));
  }
  const problems = [...doc.errors, ...doc.warnings].map((e) => at(e.pos[0], yamlMessage(e.message)));
  let value: unknown;
  try {
    problems.push(...anchors(doc, at));
    value = problems.length === 0 ? doc.toJS() : undefined;
  } catch (error) {
    return unusable(tooDeep(error));
  }
  return {
    path: file,
    value,
    problems,
    problemAt: (path, message, where = 'value') => at(offsetAt(doc.contents, path, where === 'key'), message),
    problemIn: (path, offset, message) => {
      const node = nodeAt(doc.contents, path);
      return isScalar(node) && typeof node.value === 'string'
        ? at(scalarOffsets(text, node as Parameters<typeof scalarOffsets>[1])(offset), message)
        : at(offsetAt(doc.contents, path, false), message);
    },
  };
}

function tooDeep(error: unknown): string {
  if (error instanceof RangeError) return 'the file is nested too deeply';
  return `the file can't be read as YAML: ${error instanceof Error ? error.message : String(error)}`;
}

const yamlMessage = (message: string): string =>
  /call stack/.test(message)
    ? 'the file is nested too deeply here'
    : message.charAt(0).toLowerCase() +
      message
        .slice(1)
        .replace(/ at line \d+, column \d+[\s\S]*$/, '')
        .replace(/\.$/, '');

function anchors(doc: Document.Parsed, at: (offset: number, message: string) => Problem): Problem[] {
  const found: Problem[] = [];
  visit(doc, {
    Node: (_, node) => {
      const named = node as Node & { anchor?: string };
      if (isAlias(node) || named.anchor)
        found.push(
          at(node.range?.[0] ?? 0, 'anchors and aliases are not part of the policy language; write the value out'),
        );
    },
    Pair: (_, pair) => {
      if (isCollection(pair.key)) found.push(at(pair.key.range?.[0] ?? 0, 'the name of a member must be a text'));
    },
  });
  return found;
}

function pairOf(node: unknown, step: PropertyKey): Pair<Node, Node | null> | undefined {
  if (!isMap(node)) return undefined;
  return node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step)) as
    | Pair<Node, Node | null>
    | undefined;
}

function childOf(node: unknown, step: PropertyKey): Node | null | undefined {
  if (isMap(node)) return pairOf(node, step)?.value;
  return isCollection(node) ? (node.items[Number(step)] as Node | undefined) : undefined;
}

function nodeAt(root: Node | null, path: Path): Node | null | undefined {
  return path.reduce<Node | null | undefined>((node, step) => childOf(node, step), root);
}

function offsetAt(root: Node | null, path: Path, key: boolean): number {
  let node: Node | null | undefined = root;
  let offset = root?.range?.[0] ?? 0;
  for (const [i, step] of path.entries()) {
    const pair = pairOf(node, step);
    const child = childOf(node, step);
    if (pair === undefined && child === undefined) return offset;
    const useKey = (key && i === path.length - 1) || !child?.range;
    offset = (useKey ? pair?.key.range?.[0] : child?.range?.[0]) ?? offset;
    node = child;
  }
  return offset;
}
