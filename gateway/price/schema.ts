import { z } from 'zod';
import { TOKEN_LEAVES, type TokenLeaf } from '../domain/usage.ts';

const RATE = /^(?:0|[1-9][0-9]*)(?:\.[0-9]{1,6})?$/;

const decimal = z.string().regex(RATE, 'is not a plain decimal with at most 6 decimals, such as "0.30"');
const date = z.iso.date('is not a date such as 2026-11-22');
const time = z.string().regex(/^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/, 'is not a time of day such as "16:30" (UTC)');
const leaf = z.enum(TOKEN_LEAVES);
const name = z.string().min(1);
const count = z.int().positive();

const rates = z.strictObject({
  ...(Object.fromEntries(TOKEN_LEAVES.map((key) => [key, decimal.optional()])) as Record<
    TokenLeaf,
    z.ZodOptional<typeof decimal>
  >),
  input: decimal,
  output: decimal,
});
const cliffs = z.array(z.strictObject({ input_over: count, rates }));
const serviceTiers = z.record(
  name,
  z.union([z.strictObject({ times: decimal }), z.strictObject({ rates, tiers: cliffs.optional() })]),
);
const regions = z.record(name, decimal);
const fees = z.record(name, z.strictObject({ per_1000: decimal }));

const row = z.strictObject({
  from: date,
  hours: z.tuple([time, time]).optional(),
  rates,
  tiers: cliffs.optional(),
  service_tiers: serviceTiers.optional(),
});

const model = z.strictObject({
  id: name,
  aliases: z.array(name).optional(),
  /** `*` answers to every id */
  prefixes: z.array(name).optional(),
  dated: z.boolean().optional(),
  window: count,
  max_output: z.int().nonnegative(),
  checked: date,
  rows: z.array(row).min(1),
  regions: regions.optional(),
  fees: fees.optional(),
  discrepancy: z.array(z.strictObject({ on: date, note: name })).optional(),
});

/** The form of `pricing/<provider>.yaml` (meter.md 2.2). Every object is strict; every rate is a decimal string. */
export const priceFile = z.strictObject({
  provider: name,
  currency: z.literal('USD'),
  sources: z.array(z.url()).min(1),
  hosts: z.array(name).optional(),
  input_includes: z.array(leaf).optional(),
  output_includes: z.array(leaf).optional(),
  billed_as: z
    .partialRecord(leaf.exclude(['input', 'output', 'cache_read']), z.enum(['input', 'output', 'cache_read']))
    .optional(),
  cache_writes: z.enum(['asked', 'automatic']).optional(),
  base_tier: name.optional(),
  asked: z
    .strictObject({
      tier: z.record(name, z.array(name).min(1)).optional(),
      region: z.record(name, z.array(name).min(1)).optional(),
    })
    .optional(),
  service_tiers: serviceTiers.optional(),
  regions: regions.optional(),
  fees: fees.optional(),
  models: z.array(model).min(1),
});

export type PriceFile = z.infer<typeof priceFile>;
export type PriceFileModel = PriceFile['models'][number];
export type PriceFileRow = PriceFileModel['rows'][number];
export type PriceFileRates = PriceFileRow['rates'];
export type PriceFileServiceTier = NonNullable<PriceFileRow['service_tiers']>[string];

/** Every member name that a price file may use somewhere, for suggestions. */
export const PRICE_FILE_KEYS: readonly string[] = [
  ...new Set([
    ...Object.keys(priceFile.shape),
    ...Object.keys(model.shape),
    ...Object.keys(row.shape),
    ...TOKEN_LEAVES,
    ...['input_over', 'times', 'per_1000', 'on', 'note', 'tier', 'region'],
  ]),
];
