import { type Glob, globMatches, parseGlob } from './glob.ts';
import type { Selection } from './judge.ts';

/** What a rule selects by, in the order the index prefers: the field of the rule and what it looks at. */
export const SELECTORS = [
  ['tools', 'tool'],
  ['models', 'model'],
  ['agents', 'agent'],
  ['tenants', 'tenant'],
  ['humans', 'human'],
  ['servers', 'server'],
  ['providers', 'provider'],
  ['tiers', 'tier'],
] as const;
export type Dimension = (typeof SELECTORS)[number][1];

/** The selectors of one rule, compiled. */
export interface Selectors {
  readonly by: readonly { readonly dimension: Dimension; readonly globs: readonly Glob[] }[];
  readonly groups: readonly Glob[] | undefined;
}

type Fields = Readonly<
  Partial<Record<(typeof SELECTORS)[number][0] | 'groups', string | readonly string[] | undefined>>
>;

const globs = (value: string | readonly string[]): readonly Glob[] => [...new Set([value].flat())].map(parseGlob);

/** Compiles what a rule selects by; `tenants` are those its bundle is about, which have to fit as well. */
export function compileSelectors(rule: Fields, tenants?: readonly Glob[]): Selectors {
  const own = SELECTORS.flatMap(([field, dimension]) => {
    const value = rule[field];
    return value === undefined ? [] : [{ dimension, globs: globs(value) }];
  });
  return {
    by: tenants === undefined ? own : [...own, { dimension: 'tenant', globs: tenants }],
    groups: rule.groups === undefined ? undefined : globs(rule.groups),
  };
}

const any = (patterns: readonly Glob[], name: string): boolean => {
  for (const glob of patterns) if (globMatches(glob, name)) return true;
  return false;
};

/** True where what the index looks at is all the rule selects by: what it finds needs no second look. */
export const isSettled = ({ by, groups }: Selectors): boolean =>
  groups === undefined && by.length <= 1 && by.every(({ globs }) => globs.every((g) => g.kind !== 'general'));

/** True where every selector of the rule fits; what is unknown fits none. */
export function selects(rule: Selectors, selection: Selection): boolean {
  if (rule.by.length === 0 && rule.groups === undefined) return true;
  for (const { dimension, globs } of rule.by) {
    const name = selection[dimension];
    if (name === undefined || name === '' || !any(globs, name)) return false;
  }
  if (rule.groups === undefined) return true;
  for (const group of selection.groups ?? []) if (any(rule.groups, group)) return true;
  return false;
}
