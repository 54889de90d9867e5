import { isNamePattern, plainPatternProblem } from '../domain/name-pattern.ts';
import type { Path, Problem, Source } from '../domain/source.ts';
import type { BundleText } from './bundle-schema.ts';
import { SELECTORS } from './selectors.ts';

const FIELDS = [...SELECTORS.map(([field]) => field), 'groups'] as const;

/** The patterns of tools, models, agents and the like that stand without quotes in a bundle. */
export function plainPatterns(file: Source, { tenants, tools = {}, rules }: BundleText): Problem[] {
  const found: (Problem | undefined)[] = [];
  const look = (names: string | readonly string[] | undefined, path: Path): void => {
    if (typeof names === 'string') {
      if (isNamePattern(names)) found.push(plainPatternProblem(file, path));
    } else for (const [i, name] of names?.entries() ?? []) look(name, [...path, i]);
  };
  look(tenants, ['tenants']);
  for (const name of Object.keys(tools))
    if (isNamePattern(name)) found.push(plainPatternProblem(file, ['tools', name], true));
  for (const [i, rule] of rules.entries()) {
    for (const field of FIELDS) look(rule[field], ['rules', i, field]);
    for (const [t, item] of rule.transform?.entries() ?? [])
      if ('hide' in item) look(item.hide, ['rules', i, 'transform', t, 'hide']);
  }
  return found.filter((problem) => problem !== undefined);
}
