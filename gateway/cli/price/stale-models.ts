import type { PriceFile } from '../../price/schema.ts';
import type { ToolFileEntry } from '../../price/tool-schema.ts';

/** A price that nobody has looked at for too long. */
export interface StaleModel {
  /** the price table; `tools` for a tool */
  readonly provider: string;
  readonly model: string;
  readonly checked: string;
  readonly age_days: number;
  /** calls of it that are recorded here; undefined: no record was read */
  readonly calls: number | undefined;
}

const DAY_MS = 86_400_000;

const ageOf = (checked: string, at: number): number => Math.floor((at - Date.parse(`${checked}T00:00:00Z`)) / DAY_MS);

/** `provider/model` of the price table → recorded calls. */
export type UseOfModels = ReadonlyMap<string, number>;

/**
 * Models that were `checked` more than `maxDays` before `at`, most used first. With `used`, only the `most` most used ones; without it
 * every model counts as used.
 */
export function staleModels(
  files: readonly PriceFile[],
  at: number,
  maxDays: number,
  used: UseOfModels | undefined,
  most: number,
): StaleModel[] {
  const top =
    used &&
    new Set(
      [...used]
        .sort(([, a], [, b]) => b - a)
        .slice(0, most)
        .map(([name]) => name),
    );
  return files
    .flatMap(({ provider, models }) =>
      models.map(({ id, checked }) => ({
        provider,
        model: id,
        checked,
        age_days: ageOf(checked, at),
        calls: used?.get(`${provider}/${id}`),
      })),
    )
    .filter(({ provider, model, age_days }) => age_days > maxDays && (top?.has(`${provider}/${model}`) ?? true))
    .sort((a, b) => (b.calls ?? 0) - (a.calls ?? 0) || b.age_days - a.age_days);
}

/** Tools that were `checked` more than `maxDays` before `at`. */
export const staleTools = (tools: readonly ToolFileEntry[], at: number, maxDays: number): StaleModel[] =>
  tools
    .map(({ server, tool, checked }) => ({
      provider: 'tools',
      model: server === undefined ? tool : `${server}/${tool}`,
      checked,
      age_days: ageOf(checked, at),
      calls: undefined,
    }))
    .filter(({ age_days }) => age_days > maxDays);
