import type { z } from 'zod';
import { nearest } from '../domain/nearest.ts';
import type { Path, Problem, Source } from '../domain/source.ts';

/** The value of a price file that has the form of `schema`, or every mistake of its form. `keys`: what a mistyped name may have meant. */
export function checkForm<T>(
  doc: Source,
  schema: z.ZodType<T>,
  keys: readonly string[],
): { readonly value?: T; readonly problems: readonly Problem[] } {
  if (doc.problems.length > 0)
    return { problems: doc.problems.map((p) => ({ ...p, message: `not valid YAML: ${p.message}` })) };
  const parsed = schema.safeParse(doc.value);
  return parsed.success
    ? { value: parsed.data, problems: [] }
    : { problems: parsed.error.issues.flatMap((issue) => formProblems(doc, issue, [], keys)) };
}

function formProblems(doc: Source, issue: z.core.$ZodIssue, base: Path, keys: readonly string[]): Problem[] {
  const path = [...base, ...issue.path];
  const label = path.length === 0 ? 'the file' : `\`${String(path.at(-1))}\``;
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => doc.problem([...path, key], unknownKey(key, keys), { key: true }));
    case 'invalid_union':
      return unionProblems(doc, issue, path, keys);
    case 'invalid_type':
      return [doc.problem(path, wrongType(doc, path, label, issue.expected))];
    case 'invalid_value':
      return [
        doc.problem(path, `${label} must be one of ${issue.values.map((value) => `\`${String(value)}\``).join(', ')}`),
      ];
    case 'invalid_key':
      return [doc.problem(path, unknownKey(String(path.at(-1)), keys), { key: true })];
    case 'invalid_format':
      return [
        doc.problem(
          path,
          issue.message.startsWith('is not')
            ? `\`${doc.written(path) ?? ''}\` ${issue.message}`
            : `${label}: ${issue.message}`,
        ),
      ];
    default:
      return [doc.problem(path, `${label}: ${issue.message.toLowerCase()}`)];
  }
}

/** A service tier is `{ times }` or `{ rates, tiers? }`: the mistakes of the form that was meant. */
function unionProblems(
  doc: Source,
  issue: z.core.$ZodIssueInvalidUnion,
  path: Path,
  keys: readonly string[],
): Problem[] {
  const [times, rates] = issue.errors;
  const source = doc.written(path) ?? '';
  const meant = /\brates\b/.test(source) ? rates : times;
  return (meant ?? []).flatMap((inner) => formProblems(doc, inner, path, keys));
}

function unknownKey(key: string, keys: readonly string[]): string {
  const near = nearest(key, keys);
  return `unknown key \`${key}\`${near === undefined ? '; remove it' : `; did you mean \`${near}\`?`}`;
}

function wrongType(doc: Source, path: Path, label: string, expected: string): string {
  const source = doc.written(path);
  const missing = !exists(doc.value, path);
  if (missing) return `${label} is missing; write it${path.length > 1 ? ` in \`${String(path.at(-2))}\`` : ''}`;
  if (expected === 'string' && source !== undefined && /^-?[0-9.eE+_-]+$/.test(source))
    return `${label} is the number \`${source}\`; write it as a string, "${source}"`;
  return `${label} must be ${expected === 'int' ? 'a whole number' : `a ${expected}`}`;
}

const exists = (value: unknown, path: Path): boolean => {
  let at: unknown = value;
  for (const step of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return false;
    at = (at as Record<PropertyKey, unknown>)[step];
  }
  return true;
};
