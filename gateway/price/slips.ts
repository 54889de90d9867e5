import type { Path, Problem, Source } from '../domain/source.ts';

/**
 * Mistakes that the form of a price file can't show: a name that two models claim, rows that overlap, a dearer long-prompt
 * tier that forgets a rate. Reads the raw value and skips what has the wrong form, so that one pass finds everything.
 */
export function slips(doc: Source): Problem[] {
  const models = list(prop(doc.value, 'models'));
  return [
    ...tierSlips(doc, ['service_tiers'], prop(doc.value, 'service_tiers'), []),
    ...claimedTwice(doc, models),
    ...models.flatMap((model, m) => rowSlips(doc, ['models', m, 'rows'], list(prop(model, 'rows')))),
  ];
}

const prop = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const entries = (value: unknown): [string, unknown][] =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];

function claimedTwice(doc: Source, models: readonly unknown[]): Problem[] {
  const owners = new Map<string, string>();
  const problems: Problem[] = [];
  const claim = (kind: string, name: unknown, owner: string, path: Path): void => {
    if (typeof name !== 'string') return;
    const key = `${kind}:${name.toLowerCase()}`;
    const other = owners.get(key);
    if (other === undefined) owners.set(key, owner);
    else
      problems.push(
        doc.problem(path, `the ${kind} \`${name}\` is already claimed by model \`${other}\`; remove one of the two`),
      );
  };
  models.forEach((model, m) => {
    const id = prop(model, 'id');
    const owner = typeof id === 'string' ? id : `number ${m + 1}`;
    claim('id', id, owner, ['models', m, 'id']);
    for (const [i, alias] of list(prop(model, 'aliases')).entries())
      claim('id', alias, owner, ['models', m, 'aliases', i]);
    for (const [i, prefix] of list(prop(model, 'prefixes')).entries())
      claim('prefix', prefix, owner, ['models', m, 'prefixes', i]);
  });
  return problems;
}

function rowSlips(doc: Source, path: Path, rows: readonly unknown[]): Problem[] {
  return rows.flatMap((row, r) => {
    const at = [...path, r];
    const clash = rows.slice(0, r).find((earlier) => overlap(row, earlier));
    const cliffs = list(prop(row, 'tiers'));
    return [
      ...(clash === undefined
        ? []
        : [
            doc.problem(
              [...at, 'from'],
              `overlaps another row from \`${String(prop(row, 'from'))}\`; give it another date or other \`hours\``,
            ),
          ]),
      ...cliffSlips(doc, [...at, 'tiers'], cliffs, prop(row, 'rates')),
      ...tierSlips(doc, [...at, 'service_tiers'], prop(row, 'service_tiers'), cliffs),
    ];
  });
}

/** Two rows overlap where the same date and the same minute of the day would find both. */
function overlap(a: unknown, b: unknown): boolean {
  if (prop(a, 'from') !== prop(b, 'from') || prop(a, 'from') === undefined) return false;
  const [one, other] = [list(prop(a, 'hours')), list(prop(b, 'hours'))];
  if (one.length !== 2 || other.length !== 2) return one.length === other.length;
  return covers(one, String(other[0])) || covers(other, String(one[0]));
}

/** Whether the span of `HH:MM` times, which may pass midnight, holds `time`. */
function covers(span: readonly unknown[], time: string): boolean {
  const [from, to] = span.map(String) as [string, string];
  return from < to ? from <= time && time < to : time >= from || time < to;
}

/** Every rate that the base names has to stand in the tier too: a forgotten cache rate would be billed too low. */
function cliffSlips(doc: Source, path: Path, cliffs: readonly unknown[], base: unknown): Problem[] {
  let last = 0;
  return cliffs.flatMap((cliff, c) => {
    const rates = prop(cliff, 'rates');
    // the form already asks for `input` and `output`
    const missing = entries(base).filter(
      ([leaf]) => rates !== undefined && leaf !== 'input' && leaf !== 'output' && !Object.hasOwn(Object(rates), leaf),
    );
    const over = prop(cliff, 'input_over');
    const falls = typeof over === 'number' && over <= last;
    if (typeof over === 'number') last = over;
    return [
      ...missing.map(([leaf]) =>
        doc.problem([...path, c, 'rates'], `the tier has no \`${leaf}\` rate, but the row has; write it`, {
          key: true,
        }),
      ),
      ...(falls
        ? [doc.problem([...path, c, 'input_over'], `\`${over}\` must be above the tier before it; sort the tiers`)]
        : []),
    ];
  });
}

/** A service tier with its own rates says what long prompts cost in it, where the row has such a tier. */
function tierSlips(doc: Source, path: Path, tiers: unknown, cliffs: readonly unknown[]): Problem[] {
  return entries(tiers).flatMap(([name, tier]) => {
    const rates = prop(tier, 'rates');
    if (rates === undefined) return [];
    const own = prop(tier, 'tiers');
    const silent = cliffs.length > 0 && own === undefined;
    return [
      ...(silent
        ? [
            doc.problem(
              [...path, name],
              `\`${name}\` has its own rates but no \`tiers\` for long prompts; write them, or \`tiers: []\``,
              { key: true },
            ),
          ]
        : []),
      ...cliffSlips(doc, [...path, name, 'tiers'], list(own), rates),
    ];
  });
}
