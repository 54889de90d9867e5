import { usdToNano } from '../domain/money.ts';
import { epochMs, nano } from '../domain/scalars.ts';
import type { Path, Problem, Source } from '../domain/source.ts';
import { checkForm } from './form-problems.ts';
import type { PricedTool, ToolRow, ToolUnit } from './tool-book.ts';
import {
  TOOL_FILE_KEYS,
  type ToolFile,
  type ToolFileEntry,
  type ToolFileRow,
  type ToolFileUnit,
  toolFile,
} from './tool-schema.ts';

const TOOL_FILE = /(?:^|[/\\.])tools\.ya?ml$/;

/** Whether a file of the pricing folder lists tools: `tools.yaml`, or a name that ends in `.tools.yaml`. */
export const isToolFile = (path: string): boolean => TOOL_FILE.test(path);

/** Reads one tool price file. `claimed` holds what earlier files priced, and takes what this one does. */
export function readToolFile(
  doc: Source,
  claimed: Map<string, string>,
): { readonly tools: readonly PricedTool[]; readonly problems: readonly Problem[] } {
  const { value, problems: form } = checkForm(doc, toolFile, TOOL_FILE_KEYS);
  if (value === undefined) return { tools: [], problems: form };
  const problems = [...form, ...value.tools.flatMap((entry, t) => entryProblems(doc, entry, ['tools', t], claimed))];
  return problems.length > 0 ? { tools: [], problems } : { tools: compileTools(value), problems };
}

function entryProblems(doc: Source, entry: ToolFileEntry, path: Path, claimed: Map<string, string>): Problem[] {
  const problems: Problem[] = [];
  const claim = (server: string | undefined, name: string, at: Path): void => {
    const key = JSON.stringify([server, name]);
    const other = claimed.get(key);
    if (other === undefined) claimed.set(key, doc.file);
    else
      problems.push(
        doc.problem(at, `the tool \`${labelOf(server, name)}\` has another price in ${other}; remove one of the two`),
      );
    const star = name.indexOf('*');
    if (star >= 0 && star < name.length - 1)
      problems.push(doc.problem(at, `\`*\` in \`${name}\` stands for the rest of a name; put it at the end`));
  };
  claim(entry.server, entry.tool, [...path, 'tool']);
  for (const [i, alias] of (entry.aliases ?? []).entries()) claim(undefined, alias, [...path, 'aliases', i]);
  const dates = new Set<string>();
  entry.rows.forEach((row, r) => {
    const at = [...path, 'rows', r];
    if (dates.has(row.from))
      problems.push(doc.problem([...at, 'from'], `another row begins on \`${row.from}\`; give one another date`));
    dates.add(row.from);
    problems.push(...rowProblems(doc, row, at));
  });
  return problems;
}

function rowProblems(doc: Source, row: ToolFileRow, at: Path): Problem[] {
  if (row.per_call === undefined && row.units === undefined)
    return [doc.problem(at, 'the row names no price; write `per_call`, `units` or both (free is `per_call: "0"`)')];
  const names = new Set(['call']);
  return (row.units ?? []).flatMap((unit, u) => {
    const problems: Problem[] = [];
    const here = [...at, 'units', u];
    if (names.has(unit.unit))
      problems.push(
        doc.problem([...here, 'unit'], `a line of the cost is already called \`${unit.unit}\`; choose another name`),
      );
    names.add(unit.unit);
    if (unit.values !== undefined && unit.count !== undefined)
      problems.push(doc.problem([...here, 'count'], '`values` says what counts; take `count` out', { key: true }));
    return problems;
  });
}

const labelOf = (server: string | undefined, tool: string): string =>
  server === undefined ? tool : `${server}/${tool}`;

const compileTools = ({ tools }: ToolFile): PricedTool[] =>
  tools.map((entry) => ({
    label: labelOf(entry.server, entry.tool),
    server: entry.server,
    tool: entry.tool,
    aliases: entry.aliases ?? [],
    rows: entry.rows.map(compileRow).sort((a, b) => b.from - a.from),
  }));

const compileRow = (row: ToolFileRow): ToolRow => ({
  from: epochMs(Date.parse(`${row.from}T00:00:00Z`)),
  perCall: row.per_call === undefined ? nano(0n) : usdToNano(row.per_call),
  units: (row.units ?? []).map(compileUnit),
  failedIsFree: row.failed === 'free',
});

const compileUnit = (unit: ToolFileUnit): ToolUnit => ({
  name: unit.unit,
  in: unit.in,
  at: unit.at,
  count: unit.count ?? 'number',
  values: unit.values === undefined ? undefined : new Map(Object.entries(unit.values)),
  absent: unit.absent,
  max: unit.max,
  price: usdToNano(unit.usd),
  per: BigInt(unit.per ?? 1),
});
