import type { z } from 'zod';
import type { Path, PriceDocument } from './document.ts';
import type { PriceProblem } from './price-fault.ts';
import { PRICE_FILE_KEYS, type PriceFile, priceFile } from './schema.ts';
import { slips } from './slips.ts';
import { nearest } from './suggestion.ts';

/** The price file's value where it is sound, and otherwise every mistake in it: form first, then what the form can't say. */
export function checkPriceFile(doc: PriceDocument): {
  readonly file?: PriceFile;
  readonly problems: readonly PriceProblem[];
} {
  if (doc.problems.length > 0) return { problems: doc.problems };
  const parsed = priceFile.safeParse(doc.value);
  const form = parsed.success ? [] : parsed.error.issues.flatMap((issue) => formProblems(doc, issue, []));
  const problems = [...form, ...slips(doc)].sort((a, b) => a.line - b.line || a.column - b.column);
  return parsed.success && problems.length === 0 ? { file: parsed.data, problems } : { problems };
}

function formProblems(doc: PriceDocument, issue: z.core.$ZodIssue, base: Path): PriceProblem[] {
  const path = [...base, ...issue.path];
  const label = path.length === 0 ? 'the file' : `\`${String(path.at(-1))}\``;
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => doc.keyProblem(path, key, unknownKey(key)));
    case 'invalid_union':
      return unionProblems(doc, issue, path);
    case 'invalid_type':
      return [doc.problem(path, wrongType(doc, path, label, issue.expected))];
    case 'invalid_value':
      return [
        doc.problem(path, `${label} must be one of ${issue.values.map((value) => `\`${String(value)}\``).join(', ')}`),
      ];
    case 'invalid_key':
      return [doc.keyProblem(path.slice(0, -1), String(path.at(-1)), unknownKey(String(path.at(-1))))];
    case 'invalid_format':
      return [
        doc.problem(
          path,
          issue.message.startsWith('is not')
            ? `\`${doc.source(path) ?? ''}\` ${issue.message}`
            : `${label}: ${issue.message}`,
        ),
      ];
    default:
      return [doc.problem(path, `${label}: ${issue.message.toLowerCase()}`)];
  }
}

/** A service tier is `{ times }` or `{ rates, tiers? }`: the mistakes of the form that was meant. */
function unionProblems(doc: PriceDocument, issue: z.core.$ZodIssueInvalidUnion, path: Path): PriceProblem[] {
  const [times, rates] = issue.errors;
  const source = doc.source(path) ?? '';
  const meant = /\brates\b/.test(source) ? rates : times;
  return (meant ?? []).flatMap((inner) => formProblems(doc, inner, path));
}

function unknownKey(key: string): string {
  const near = nearest(key, PRICE_FILE_KEYS);
  return `unknown key \`${key}\`${near === undefined ? '; remove it' : `; did you mean \`${near}\`?`}`;
}

function wrongType(doc: PriceDocument, path: Path, label: string, expected: string): string {
  const source = doc.source(path);
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
