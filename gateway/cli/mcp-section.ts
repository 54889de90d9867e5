import { type Document, isMap, isScalar, type Pair, parseDocument, stringify, type YAMLMap } from 'yaml';

type Entry = Readonly<Record<string, unknown>>;

/**
 * The text of a configuration with one more server in it. It is put in as lines of its own, so that nothing else changes; where the
 * file is written in a way that leaves no room for lines, the section is written anew, with its comments.
 */
export function withServer(text: string, name: string, entry: Entry): string {
  const doc = parseDocument(text);
  const wanted = parseDocument(text);
  wanted.setIn(['mcp', 'servers', name], entry);
  const spliced = splice(text, doc, name, entry);
  const same = spliced !== undefined && says(spliced) === JSON.stringify(wanted.toJS());
  return same ? spliced : wanted.toString({ lineWidth: 0 });
}

/** Whether a configuration names a server already, whatever else is wrong with it. */
export const hasServer = (text: string, name: string): boolean => parseDocument(text).hasIn(['mcp', 'servers', name]);

function says(text: string): string | undefined {
  const doc = parseDocument(text);
  return doc.errors.length > 0 ? undefined : JSON.stringify(doc.toJS());
}

/** The section's lines, below `indent` spaces. */
const lines = (value: unknown, indent: number): string =>
  stringify(value, { lineWidth: 0, collectionStyle: 'block' })
    .trimEnd()
    .split('\n')
    .map((line) => `${' '.repeat(indent)}${line}\n`)
    .join('');

function splice(text: string, doc: Document, name: string, entry: Entry): string | undefined {
  const eol = text === '' || text.endsWith('\n') ? '' : '\n';
  const mcp = pairOf(doc.contents, 'mcp');
  if (!mcp) return `${text}${eol}${text.trim() === '' ? '' : '\n'}${lines({ mcp: { servers: { [name]: entry } } }, 0)}`;
  const servers = pairOf(mcp.value, 'servers');
  if (!servers) return undefined;
  const last = isMap(servers.value) && !servers.value.flow ? servers.value.items.at(-1) : undefined;
  const column = last && columnOf(text, last);
  const end = last && endOf(last);
  if (column === undefined || end === undefined) return undefined;
  const cut = text.indexOf('\n', Math.max(end - 1, 0)) + 1;
  if (cut === 0) return `${text}\n${lines({ [name]: entry }, column)}`;
  return `${text.slice(0, cut)}${lines({ [name]: entry }, column)}${text.slice(cut)}`;
}

function pairOf(node: unknown, name: string): Pair | undefined {
  if (!isMap(node)) return undefined;
  return (node as YAMLMap).items.find(({ key }) => isScalar(key) && key.value === name);
}

type Ranged = { readonly range?: readonly [number, number, number] | null } | null;

function columnOf(text: string, { key }: Pair): number | undefined {
  const start = (key as Ranged)?.range?.[0];
  return start === undefined ? undefined : start - (text.lastIndexOf('\n', start - 1) + 1);
}

const endOf = ({ value }: Pair): number | undefined => (value as Ranged)?.range?.[1];
