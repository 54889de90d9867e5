import { hint } from '../domain/nearest.ts';
import type { Problem } from '../domain/source.ts';
import type { Bundle } from './bundle.ts';
import { type Glob, globMatches } from './glob.ts';

/** A bundle that denies what no rule of its layer allows, for the tenants it is about. */
export interface DenyingDefault {
  readonly bundle: string;
  /** '' for the organisation's layer, else the name of the bundle, which is a layer of its own */
  readonly layer: string;
  readonly tenants: readonly Glob[] | undefined;
}

/** The layer of a bundle: all bundles without a parent are the organisation's. */
export const layerOf = (bundle: Bundle): string => (bundle.parent === undefined ? '' : bundle.name);

export const isAbout = (tenants: readonly Glob[] | undefined, tenant: string): boolean =>
  tenants?.some((glob) => globMatches(glob, tenant)) ?? true;

/** The defaults that deny: one of the organisation's layer, and each of a layer below it. */
export function denyingDefaults(bundles: readonly Bundle[]): readonly DenyingDefault[] {
  const denying = bundles
    .filter((b) => b.default === 'deny' && b.mode === 'enforce')
    .map((b) => ({ bundle: b.name, layer: layerOf(b), tenants: b.tenants }));
  return denying.filter((d) => d.layer !== '' || d === denying.find((other) => other.layer === ''));
}

/** How many parents stand above each bundle. Parents that are not there or go round are problems. */
export function depths(bundles: readonly Bundle[], problems: Problem[]): ReadonlyMap<string, number> {
  const byName = new Map(bundles.map((b) => [b.name, b]));
  return new Map(bundles.map((bundle) => [bundle.name, depthOf(bundle, byName, problems)]));
}

function depthOf(bundle: Bundle, byName: ReadonlyMap<string, Bundle>, problems: Problem[]): number {
  const wrong = (message: string): number => {
    problems.push(bundle.file.problem(['parent'], message));
    return 0;
  };
  const { parent } = bundle;
  if (parent !== undefined && !byName.has(parent)) {
    const others = [...byName.keys()].filter((name) => name !== bundle.name);
    return wrong(`there is no bundle \`${parent}\`${hint(parent, others)}`);
  }
  const above = new Set<string>();
  for (let at: Bundle | undefined = bundle; at?.parent !== undefined; at = byName.get(at.parent)) {
    if (above.has(at.name))
      return wrong(`\`${bundle.name}\` stands below itself; give one of the bundles no \`parent\``);
    above.add(at.name);
  }
  return above.size;
}
