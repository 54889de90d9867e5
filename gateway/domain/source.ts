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
  type Scalar,
  visit,
} from 'yaml';
import { scalarOffsets } from './scalar-offsets.ts';

/** One mistake in a file that people write, where it is and what to do. */
export interface Problem {
  readonly file: string;
  /** from 1; 0 where the whole file is meant */
  readonly line: number;
  /** from 1, in UTF-16 units */
  readonly column: number;
  readonly message: string;
}

/** `file:line:column message`, the form editors and terminals turn into a link. */
export const problemText = (p: Problem): string =>
  p.line === 0 ? `${p.file}: ${p.message}` : `${p.file}:${p.line}:${p.column}: ${p.message}`;

/** One file as the loader read it. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** paths of the files it extends, in the order it names them; the loader found, read and checked them */
  readonly extends?: readonly string[] | undefined;
  /** it is read only because another file extends it */
  readonly extended?: true | undefined;
}

export type Path = readonly PropertyKey[];

/** `key`: the member's name is meant; `inside`: a place in the text value, in UTF-16 units from its start. */
export interface Where {
  readonly key?: boolean;
  readonly inside?: number;
}

/** A YAML document with the position of every key and value kept. */
export interface Source {
  readonly file: string;
  /** undefined where there are `problems` */
  readonly value: unknown;
  /** what is wrong with the text as YAML */
  readonly problems: readonly Problem[];
  /** A problem at the value a path leads to, or as `where` says; at the nearest parent where the path leads nowhere. */
  problem(path: Path, message: string, where?: Where): Problem;
  /** The characters that stand at a path, as written; with `key` those of the member's name. */
  written(path: Path, where?: { readonly key?: boolean }): string | undefined;
}

const MAX_TEXT = 8 * 1_048_576;

/**
 * Reads one YAML 1.2 document. Never throws: bad syntax, repeated names and unknown tags are problems. Where `language` is named, so
 * are anchors and aliases, which are not part of it.
 */
export function readSource(file: string, text: string, language?: string): Source {
  const lines = new LineCounter();
  const at = (offset: number, message: string): Problem => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1), message };
  };
  if (text.length > MAX_TEXT) return unusable(file, 'the file is larger than 8 MiB; split it');
  let doc: Document.Parsed;
  let value: unknown;
  const problems: Problem[] = [];
  try {
    doc = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
    for (const { pos, message } of [...doc.errors, ...doc.warnings]) problems.push(at(pos[0], yamlMessage(message)));
    problems.push(...leftOut(doc, language, at));
    value = problems.length === 0 ? doc.toJS({ maxAliasCount: 100 }) : undefined;
  } catch (error) {
    return unusable(file, tooDeep(error));
  }
  const root = new Tree(doc);
  return {
    file,
    value,
    problems,
    problem(path, message, { key = false, inside } = {}) {
      const node = inside === undefined ? undefined : root.nodeAt(path);
      return inside !== undefined && isScalar(node) && typeof node.value === 'string'
        ? at(scalarOffsets(text, node as Scalar<string>)(inside), message)
        : at(root.offsetAt(path, key), message);
    },
    written(path, { key = false } = {}) {
      const range = (key ? root.keyAt(path) : root.nodeAt(path))?.range;
      return range ? text.slice(range[0], range[1]) : undefined;
    },
  };
}

function unusable(file: string, message: string): Source {
  const problem = { file, line: 1, column: 1, message };
  return { file, value: undefined, problems: [problem], problem: () => problem, written: () => undefined };
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

/** What YAML has and these files have not. */
function leftOut(
  doc: Document.Parsed,
  language: string | undefined,
  at: (offset: number, message: string) => Problem,
): Problem[] {
  const found: Problem[] = [];
  visit(doc, {
    Node: (_, node) => {
      if (language === undefined || !(isAlias(node) || (node as Node & { anchor?: string }).anchor)) return;
      const quotes = isAlias(node) ? ', or in quotes where it is a text that begins with `*`' : '';
      found.push(
        at(node.range?.[0] ?? 0, `anchors and aliases are not part of ${language}; write the value out${quotes}`),
      );
    },
    Pair: (_, pair) => {
      if (isCollection(pair.key)) found.push(at(pair.key.range?.[0] ?? 0, 'the name of a member must be a text'));
    },
  });
  return found;
}

/** The nodes of a document by path. */
class Tree {
  readonly #doc: Document.Parsed;

  constructor(doc: Document.Parsed) {
    this.#doc = doc;
  }

  nodeAt(path: Path): Node | null | undefined {
    return path.reduce<Node | null | undefined>((node, step) => this.#child(node, step), this.#doc.contents);
  }

  /** The name of the member a path leads to. */
  keyAt(path: Path): Node | undefined {
    return this.#pair(this.nodeAt(path.slice(0, -1)), path.at(-1) ?? '')?.key;
  }

  offsetAt(path: Path, key: boolean): number {
    let node: Node | null | undefined = this.#doc.contents;
    let offset = node?.range?.[0] ?? 0;
    for (const [i, step] of path.entries()) {
      const pair = this.#pair(node, step);
      const child = this.#child(node, step);
      if (pair === undefined && child === undefined) return offset;
      const useKey = (key && i === path.length - 1) || !child?.range;
      offset = (useKey ? pair?.key.range?.[0] : child?.range?.[0]) ?? offset;
      node = child;
    }
    return offset;
  }

  #pair(of: unknown, step: PropertyKey): Pair<Node, Node | null> | undefined {
    const node = isAlias(of) ? of.resolve(this.#doc) : of;
    if (!isMap(node)) return undefined;
    return node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step)) as
      | Pair<Node, Node | null>
      | undefined;
  }

  #child(of: unknown, step: PropertyKey): Node | null | undefined {
    const node = isAlias(of) ? of.resolve(this.#doc) : of;
    if (isMap(node)) return this.#pair(node, step)?.value;
    return isCollection(node) ? (node.items[Number(step)] as Node | undefined) : undefined;
  }
}
