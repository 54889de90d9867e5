import type { Point } from '../domain/action.ts';
import type { Glob } from './glob.ts';
import type { Selection } from './judge.ts';
import type { Dimension, Selectors } from './selectors.ts';

/** What the index needs of a rule; its place in the list is its number. */
export interface Indexed {
  readonly points: readonly Point[];
  readonly selectors: Selectors;
}

/** A length that occurs, and the characters its beginnings end with (its ends begin with), as bits: they settle most names without a lookup. */
interface AffixLength {
  readonly length: number;
  edges: number;
}

/** Rules by the beginning (or end) of a name; only lengths that occur are looked up. */
class AffixIndex {
  readonly #byText = new Map<string, number[]>();
  readonly #lengths: AffixLength[] = [];
  readonly #end: boolean;

  constructor(end: boolean) {
    this.#end = end;
  }

  add(text: string, rule: number): void {
    put(this.#byText, text, rule);
    const { length } = text;
    let known = this.#lengths.find((l) => l.length === length);
    if (!known) {
      known = { length, edges: 0 };
      this.#lengths.push(known);
    }
    known.edges |= bitOf(text, this.#end ? 0 : length - 1);
  }

  collect(name: string, out: Collector): void {
    const lengths = this.#lengths;
    for (let i = 0; i < lengths.length; i += 1) {
      const { length, edges } = lengths[i] as AffixLength;
      if (length > name.length) continue;
      if ((edges & bitOf(name, this.#end ? name.length - length : length - 1)) === 0) continue;
      const affix = this.#end ? name.slice(name.length - length) : name.slice(0, length);
      out.addAll(this.#byText.get(affix));
    }
  }
}

const bitOf = (text: string, at: number): number => 1 << (text.charCodeAt(at) & 31);

function put(map: Map<string, number[]>, key: string, rule: number): void {
  const list = map.get(key);
  if (list) list.push(rule);
  else map.set(key, [rule]);
}

/** Names remembered per point and dimension, their length, and how many rules one may have: a megabyte or so at most. */
const MAX_KNOWN = 1024;
const MAX_KNOWN_NAME = 128;
const MAX_KNOWN_RULES = 256;

/** Rules of one point by one dimension. */
class DimensionIndex {
  readonly #literals = new Map<string, number[]>();
  readonly #prefixes = new AffixIndex(false);
  readonly #suffixes = new AffixIndex(true);
  readonly #rest: number[] = [];
  /** what `collect` found for names asked about before: tools, models and agents come again and again */
  readonly #known = new Map<string, readonly number[]>();

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
    const known = this.#known.get(name);
    if (known !== undefined) {
      out.addAll(known);
      return;
    }
    const before = out.length;
    out.addAll(this.#literals.get(name));
    this.#prefixes.collect(name, out);
    this.#suffixes.collect(name, out);
    out.addAll(this.#rest);
    this.#remember(name, out.rules.slice(before, out.length));
  }

  #remember(name: string, rules: readonly number[]): void {
    if (name.length > MAX_KNOWN_NAME || rules.length > MAX_KNOWN_RULES) return;
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(name, rules);
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
  readonly by: { readonly dimension: Dimension; readonly rules: DimensionIndex }[];
}

/** Finds the rules that could apply to a call by point and one selector; the others of a rule are left to `selects`. */
export class RuleIndex {
  readonly #points = new Map<Point, PointIndex>();

  constructor(rules: readonly Indexed[]) {
    for (const [number, rule] of rules.entries())
      for (const point of new Set(rule.points)) this.#add(point, rule, number);
  }

  #add(point: Point, rule: Indexed, number: number): void {
    const index = this.#points.get(point) ?? { everywhere: [], by: [] };
    this.#points.set(point, index);
    const chosen = best(rule.selectors);
    if (!chosen) {
      index.everywhere.push(number);
      return;
    }
    const { dimension, globs } = chosen;
    let by = index.by.find((b) => b.dimension === dimension);
    if (!by) {
      by = { dimension, rules: new DimensionIndex() };
      index.by.push(by);
    }
    by.rules.add(globs, number);
  }

  collect(selection: Selection, out: Collector): void {
    out.begin();
    const index = this.#points.get(selection.point);
    if (!index) return;
    out.addApart(index.everywhere);
    for (let i = 0; i < index.by.length; i += 1) {
      const { dimension, rules } = index.by[i] as PointIndex['by'][number];
      const name = selection[dimension];
      if (name !== undefined && name !== '') rules.collect(name, out);
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
