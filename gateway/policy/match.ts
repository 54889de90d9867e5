import type { Point } from '../domain/action.ts';
import type { Glob } from './glob.ts';
import type { Selection } from './judge.ts';
import { type Dimension, SELECTORS, type Selectors } from './selectors.ts';

/** What the index needs of a rule; its place in the list is its number. */
export interface Indexed {
  readonly points: readonly Point[];
  readonly selectors: Selectors;
}

/** Rules by the beginning (or end) of a name; only lengths that occur are looked up. */
class AffixIndex {
  readonly #byText = new Map<string, number[]>();
  readonly #lengths = new Set<number>();
  readonly #end: boolean;

  constructor(end: boolean) {
    this.#end = end;
  }

  add(text: string, rule: number): void {
    put(this.#byText, text, rule);
    this.#lengths.add(text.length);
  }

  collect(name: string, out: Collector): void {
    for (const length of this.#lengths) {
      if (length > name.length) continue;
      const affix = this.#end ? name.slice(name.length - length) : name.slice(0, length);
      out.addAll(this.#byText.get(affix));
    }
  }
}

function put(map: Map<string, number[]>, key: string, rule: number): void {
  const list = map.get(key);
  if (list) list.push(rule);
  else map.set(key, [rule]);
}

/** Rules of one point by one dimension. */
class DimensionIndex {
  readonly #literals = new Map<string, number[]>();
  readonly #prefixes = new AffixIndex(false);
  readonly #suffixes = new AffixIndex(true);
  readonly #rest: number[] = [];

  add(globs: readonly Glob[], rule: number): void {
    for (const glob of globs) {
      if (glob.kind === 'literal') put(this.#literals, glob.text, rule);
      else if (glob.kind === 'prefix') this.#prefixes.add(glob.text, rule);
      else if (glob.kind === 'suffix') this.#suffixes.add(glob.text, rule);
      else if (glob.kind === 'general' && glob.prefix !== '') this.#prefixes.add(glob.prefix, rule);
      else if (glob.kind === 'general' && glob.suffix !== '') this.#suffixes.add(glob.suffix, rule);
      else this.#rest.push(rule);
    }
  }

  collect(name: string, out: Collector): void {
    out.addAll(this.#literals.get(name));
    this.#prefixes.collect(name, out);
    this.#suffixes.collect(name, out);
    out.addAll(this.#rest);
  }
}

/** Rule numbers of one lookup, each once, in no particular order. Reused, so that a lookup allocates nothing. */
export class Collector {
  readonly rules: number[] = [];
  readonly #seen: Uint32Array;
  #lookup = 0;
  length = 0;

  constructor(size: number) {
    this.#seen = new Uint32Array(size);
  }

  begin(): void {
    this.length = 0;
    this.#lookup += 1;
    if (this.#lookup < 0xffff_ffff) return;
    this.#seen.fill(0);
    this.#lookup = 1;
  }

  /** Adds rules that are in no other list of this lookup. */
  addApart(rules: readonly number[]): void {
    const found = this.rules;
    const { length } = this;
    for (let i = 0; i < rules.length; i += 1) found[length + i] = rules[i] as number;
    this.length = length + rules.length;
  }

  addAll(rules: readonly number[] | undefined): void {
    if (rules === undefined) return;
    const seen = this.#seen;
    const lookup = this.#lookup;
    const found = this.rules;
    let { length } = this;
    for (let i = 0; i < rules.length; i += 1) {
      const rule = rules[i] as number;
      if (seen[rule] === lookup) continue;
      seen[rule] = lookup;
      found[length] = rule;
      length += 1;
    }
    this.length = length;
  }
}

interface PointIndex {
  readonly everywhere: number[];
  readonly by: Map<Dimension, DimensionIndex>;
}

/** Finds the rules that could apply to a call by point and one selector; the others of a rule are left to `selects`. */
export class RuleIndex {
  readonly #points = new Map<Point, PointIndex>();

  constructor(rules: readonly Indexed[]) {
    for (const [number, rule] of rules.entries())
      for (const point of new Set(rule.points)) this.#add(point, rule, number);
  }

  #add(point: Point, rule: Indexed, number: number): void {
    const index = this.#points.get(point) ?? { everywhere: [], by: new Map<Dimension, DimensionIndex>() };
    this.#points.set(point, index);
    const chosen = best(rule.selectors);
    if (!chosen) {
      index.everywhere.push(number);
      return;
    }
    const dimension = index.by.get(chosen.dimension) ?? new DimensionIndex();
    index.by.set(chosen.dimension, dimension);
    dimension.add(chosen.globs, number);
  }

  collect(selection: Selection, out: Collector): void {
    out.begin();
    const index = this.#points.get(selection.point);
    if (!index) return;
    out.addApart(index.everywhere);
    if (index.by.size === 0) return;
    for (const [, dimension] of SELECTORS) {
      const name = selection[dimension];
      if (name !== undefined && name !== '') index.by.get(dimension)?.collect(name, out);
    }
  }
}

const anchored = (glob: Glob): boolean =>
  glob.kind !== 'any' && !(glob.kind === 'general' && glob.prefix === '' && glob.suffix === '');

/** The selector that narrows best: one whose every pattern pins something down, in the order of `SELECTORS`. */
function best({ by }: Selectors): Selectors['by'][number] | undefined {
  return (
    by.find(({ globs }) => globs.every((g) => g.kind === 'literal')) ??
    by.find(({ globs }) => globs.every(anchored)) ??
    by[0]
  );
}
