import type { EpochMs } from '../../domain/scalars.ts';
import type { Cashier } from '../../price/cashier.ts';

/**
 * Names a model as the price table does, so that an alias, a dated id and a display name (`Claude Haiku 4.5`) of one model meet; an id
 * that no row answers to keeps its own name.
 */
export function namesOfModels(cashier: Cashier, provider: string, at: EpochMs): (written: string) => string {
  const known = new Map<string, string>();
  const row = (id: string): string | undefined => cashier.terms(provider, id, { leaves: { input: 1 } }, at)?.model;
  return (written) => {
    const before = known.get(written);
    if (before !== undefined) return before;
    const name =
      spellings(written)
        .map(row)
        .find((id) => id !== undefined) ?? written.toLowerCase();
    known.set(written, name);
    return name;
  };
}

/** An id as it is; a display name as ids are written, with the version behind the family or before it. */
function spellings(written: string): string[] {
  if (!written.includes(' ')) return [written];
  const dashed = written
    .toLowerCase()
    .replace(/\s*\(.*\)$/, '')
    .replaceAll(/[ .]+/g, '-');
  const older = dashed.replace(/^(claude)-([a-z]+)-(\d+(?:-\d+)?)$/, '$1-$3-$2');
  return [dashed, older];
}
