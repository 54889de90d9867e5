import type { Path, Problem, Source } from './source.ts';

/**
 * What a pattern of names may look like (ADR 40): `*` and `?` stand at an end or beside a separator, which is anything but a
 * letter or a digit, and no `*` stands beside another of them. A slip of one key inside a name is then no pattern.
 */
export const NAME_PATTERN = /^(?![\s\S]*(?:\*[*?]|\?\*|[\p{L}\p{M}\p{N}][*?]+[\p{L}\p{M}\p{N}]))[\s\S]*$/u;

/** Why a text does not fit `NAME_PATTERN`; follows the name of the field. */
export const NAME_PATTERN_ADVICE =
  'may have `*` and `?` only at an end or beside a separator such as `_` or `-`: not between two letters or digits, and no `*` beside another `*` or `?`; write one pattern for each form the name has';

/** Whether a text stands for more names than itself. */
export const isNamePattern = (text: string): boolean => /[*?]/.test(text);

/**
 * The problem of a pattern of names that stands without quotes at `path`; with `key` as the name of a member. None where what is
 * written there is quoted or no pattern.
 */
export function plainPatternProblem(file: Source, path: Path, key = false): Problem | undefined {
  const written = file.written(path, { key });
  if (written === undefined || /^["'|>*]/.test(written) || !isNamePattern(written)) return undefined;
  return file.problem(
    path,
    `\`${written}\` holds a \`*\` or \`?\`; put it in quotes if you mean a pattern, else correct the name`,
    key ? { key } : { inside: written.search(/[*?]/) },
  );
}
