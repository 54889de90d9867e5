import type { Problem } from '../domain/source.ts';
import type { Bundle } from './bundle.ts';

/**
 * Bundles with the lists of what they extend. Two lists of one name in reach of one bundle are a problem, and so is a bundle with a
 * parent that brings one without: it would speak for everyone.
 */
export function inheriting(bundles: readonly Bundle[], problems: Problem[]): readonly Bundle[] {
  const byFile = new Map(bundles.map((b) => [b.file.file, b]));
  return bundles.map((bundle) => {
    if (bundle.extends.length === 0) return bundle;
    const lists = { ...bundle.lists };
    for (const base of basesOf(bundle, byFile)) {
      if (bundle.parent !== undefined && base.parent === undefined)
        problems.push(
          bundle.file.problem(
            ['extends'],
            `\`${bundle.name}\` has a \`parent\` and only tightens it, but \`${base.name}\` has none and would hold for everyone; give it a \`parent\` or extend it in the parent`,
            { key: true },
          ),
        );
      for (const [name, values] of Object.entries(base.lists)) {
        if (Object.hasOwn(lists, name) && lists[name] !== values)
          problems.push(
            bundle.file.problem(
              ['lists', name],
              `the list \`${name}\` stands in \`${base.name}\` too, which this bundle extends; give one another name`,
              { key: true },
            ),
          );
        lists[name] = values;
      }
    }
    return { ...bundle, lists };
  });
}

/** What a bundle extends, and what that extends, each once. */
function basesOf(bundle: Bundle, byFile: ReadonlyMap<string, Bundle>): readonly Bundle[] {
  const seen = new Set([bundle]);
  for (const at of seen)
    for (const file of at.extends) {
      const base = byFile.get(file);
      if (base) seen.add(base);
    }
  seen.delete(bundle);
  return [...seen];
}
