import type { z } from 'zod';
import { hint } from '../domain/nearest.ts';
import type { Problem, Source } from '../domain/source.ts';
import { TRANSFORMS, type TransformName } from './bundle-schema.ts';

type Issue = z.core.$ZodIssue;
type Fields = (path: readonly PropertyKey[]) => readonly string[];

/** The problems of a value that does not fit a schema: one per mistake, where it is, with the word that was probably meant. */
export function schemaProblems(file: Source, issues: readonly Issue[], fields: Fields): Problem[] {
  return issues.flatMap((issue) => fromIssue(file, issue, [...issue.path], fields));
}

function fromIssue(file: Source, issue: Issue, path: PropertyKey[], fields: Fields): Problem[] {
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) =>
        file.problem([...path, key], `unknown field \`${key}\`${fieldHint(key, fields(path))}`, { key: true }),
      );
    case 'invalid_union':
      return union(file, issue, path, fields);
    case 'invalid_type':
      return [typeProblem(file, issue.expected, path)];
    case 'invalid_value':
      return [file.problem(path, valueMessage(file, issue.values, path))];
    case 'invalid_key':
      return [
        file.problem(path, `the name \`${String(path.at(-1))}\` ${issue.issues[0]?.message ?? 'is not allowed'}`, {
          key: true,
        }),
      ];
    default:
      return [file.problem(path, `\`${fieldName(path)}\` ${issue.message}`)];
  }
}

/** A name no field could have comes from a text that YAML cut at a comma or a colon. */
const fieldHint = (key: string, known: readonly string[]): string =>
  /^[\w-]+$/.test(key) ? hint(key, known) : '; put a text that holds a comma or a colon in quotes';

const fieldName = (path: readonly PropertyKey[]): string =>
  String([...path].reverse().find((p) => typeof p === 'string') ?? 'file');

function lookUp(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const step of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined;
    at = (at as Record<PropertyKey, unknown>)[step];
  }
  return at;
}

function typeProblem(file: Source, expected: string, path: PropertyKey[]): Problem {
  const found = lookUp(file.value, path);
  const wanted = WANTED[expected] ?? `a ${expected}`;
  if (path.length === 0) return file.problem(path, `the file must be ${wanted}, not ${shapeOf(found)}`);
  if (found === undefined) return missing(file, path);
  return file.problem(path, `\`${fieldName(path)}\` must be ${wanted}, not ${shapeOf(found)}`);
}

const WANTED: Readonly<Record<string, string>> = {
  string: 'text',
  array: 'a list',
  object: 'a map',
  record: 'a map',
  int: 'a whole number',
  boolean: '`true` or `false`',
};

function shapeOf(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object'
    ? 'a map'
    : typeof value === 'string'
      ? 'text'
      : `the ${typeof value} \`${String(value)}\``;
}

const ADVICE: Readonly<Record<string, string>> = {
  default: '; say what silence means: `default: allow` or `default: deny`',
  policy: '; begin the file with `policy: tollgate/v1`',
  at: '; say where the rule is asked, such as `at: pre_tool_call`',
  verdict: '; say what happens, such as `verdict: deny`',
  id: '; give the rule a name, such as `id: no-root-delete`',
};

function missing(file: Source, path: PropertyKey[]): Problem {
  const name = String(path.at(-1));
  return file.problem(path.slice(0, -1), `\`${name}\` is missing${ADVICE[name] ?? ''}`);
}

function valueMessage(file: Source, values: readonly unknown[], path: PropertyKey[]): string {
  const found = lookUp(file.value, path);
  if (found === undefined) return missing(file, path).message;
  const words = values.map(String);
  const near = typeof found === 'string' ? hint(found, words) : '';
  const choice =
    words.length === 1 ? `must be \`${words[0]}\`` : `must be one of ${words.map((w) => `\`${w}\``).join(', ')}`;
  return `\`${fieldName(path)}\` ${choice}${near.startsWith('; did you mean') ? near : ''}`;
}

type Union = Extract<Issue, { code: 'invalid_union' }>;

/** The branch that was meant: for a transform the one its field names, else the one that got furthest. */
function union(file: Source, issue: Union, path: PropertyKey[], fields: Fields): Problem[] {
  const found = lookUp(file.value, path);
  if (found === undefined) return [missing(file, path)];
  if (path.at(-2) === 'transform' && typeof path.at(-1) === 'number')
    return transformProblems(file, found, issue, path);
  const branches = [...issue.errors].sort((a, b) => depth(b) - depth(a) || a.length - b.length);
  const meant = branches[0] ?? [];
  if (meant.every((i) => i.path.length === 0 && i.code === 'invalid_type')) {
    const wanted = issue.errors
      .flat()
      .map((i) =>
        i.code === 'invalid_type'
          ? (WANTED[i.expected] ?? `a ${i.expected}`)
          : i.code === 'invalid_value'
            ? i.values.map((v) => `\`${String(v)}\``).join(', ')
            : '',
      );
    return [
      file.problem(
        path,
        `\`${fieldName(path)}\` must be ${[...new Set(wanted.filter((w) => w !== ''))].join(' or ')}, not ${shapeOf(found)}`,
      ),
    ];
  }
  return meant.flatMap((i) => fromIssue(file, i, [...path, ...i.path], fields));
}

/** How far a branch got: one that fails inside, or on the value and not the type, was more likely meant. */
const depth = (issues: readonly Issue[]): number =>
  Math.max(0, ...issues.map((i) => i.path.length * 2 + (i.code === 'invalid_type' ? 0 : 1)));

function transformProblems(file: Source, found: unknown, issue: Union, path: PropertyKey[]): Problem[] {
  const names = Object.keys(TRANSFORMS);
  const keys = typeof found === 'object' && found !== null ? Object.keys(found) : [];
  const index = names.findIndex((name) => keys.includes(name));
  if (index === -1) {
    const [first] = keys;
    const near = first === undefined ? '' : hint(first, names);
    return [
      file.problem(
        path,
        `a transform is a map with one of ${names.map((n) => `\`${n}\``).join(', ')}${near.startsWith('; did') ? near : ''}`,
      ),
    ];
  }
  const fields = (): readonly string[] => Object.keys(TRANSFORMS[names[index] as TransformName].shape);
  return (issue.errors[index] ?? []).flatMap((i) => fromIssue(file, i, [...path, ...i.path], fields));
}
