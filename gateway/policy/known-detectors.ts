import type { PlacedFinding } from '../domain/finding.ts';
import { hint } from '../domain/nearest.ts';
import { globMatches, parseGlob } from './glob.ts';

/** What the loader has to know about a detector: the family's name and every kind it can report. */
export interface KnownDetector {
  readonly name: string;
  readonly kinds: readonly string[];
  /** somebody else runs it: it is asked only where a rule names it, and may report kinds that are not listed */
  readonly remote?: boolean | undefined;
}

/** Findings a rule names. */
export interface FindingFilter {
  /** the detectors that have to look */
  readonly detectors: readonly string[];
  /** as the rule names them */
  readonly names: readonly string[];
  readonly covers: (finding: PlacedFinding) => boolean;
  readonly coversKind: (kind: string) => boolean;
  /** the kinds that are known to be covered */
  readonly kinds: ReadonlySet<string>;
}

const family = (kind: string): string => kind.split('.')[0] as string;

/** Detectors a failed detector's finding may stand for: by name, by kind or by family. None: it may stand for any. */
function ownersOf(kind: string, known: readonly KnownDetector[]): readonly string[] {
  return known
    .filter((d) => d.name === kind || d.kinds.some((k) => k === kind || family(k) === family(kind)))
    .map((d) => d.name);
}

/** Compiles names such as `secrets`, `pii.email` or `secret.*`. Returns the message of the mistake for a name that names nothing. */
export function findingFilter(names: readonly string[], known: readonly KnownDetector[]): FindingFilter | string {
  const detectors = new Set<string>();
  const kinds = new Set<string>();
  const globs = names.map(parseGlob);
  for (const name of names) {
    const glob = parseGlob(name);
    const hits = known.flatMap((d) =>
      d.kinds.filter((k) => d.name === name || globMatches(glob, k)).map((kind) => ({ detector: d.name, kind })),
    );
    if (hits.length === 0) return unknownName(name, known);
    for (const { detector, kind } of hits) {
      detectors.add(detector);
      kinds.add(kind);
    }
  }
  const families = known.filter((d) => d.remote && names.includes(d.name)).map((d) => `${d.name}.`);
  const coversKind = (kind: string): boolean =>
    kinds.has(kind) || globs.some((g) => globMatches(g, kind)) || families.some((f) => kind.startsWith(f));
  return {
    detectors: [...detectors].sort(),
    names,
    coversKind,
    kinds,
    covers: ({ kind, status }) => {
      if (status === 'found') return coversKind(kind);
      const owners = ownersOf(kind, known);
      return owners.length === 0 || owners.some((o) => detectors.has(o));
    },
  };
}

function unknownName(name: string, known: readonly KnownDetector[]): string {
  if (!name.includes('.'))
    return `unknown detector \`${name}\`${hint(
      name,
      known.map((d) => d.name),
    )}`;
  const kinds = known.flatMap((d) => d.kinds);
  const near = hint(
    name,
    kinds.filter((k) => family(k) === family(name)).length > 0
      ? kinds.filter((k) => family(k) === family(name))
      : kinds,
  );
  return `unknown kind of finding \`${name}\`${near}`;
}
