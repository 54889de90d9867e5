import { z } from 'zod';
import { pointerTokens } from '../domain/pointer.ts';

const usd = z
  .string()
  .regex(/^(?:0|[1-9][0-9]*)(?:\.[0-9]{1,9})?$/, 'is not a plain decimal with at most 9 decimals, such as "0.005"');
const date = z.iso.date('is not a date such as 2026-11-22');
const name = z.string().min(1);
const count = z.int().nonnegative();

/** Where a count is read; RFC 6901. */
const pointer = z.string().refine((text) => {
  try {
    pointerTokens(text);
    return true;
  } catch {
    return false;
  }
}, 'a pointer starts with `/`, such as `/pages`; "" is the whole value');

const unit = z.strictObject({
  unit: name,
  in: z.enum(['arguments', 'result']),
  at: pointer,
  /** what is counted there: a number as it stands, a list's items, a text's characters or UTF-8 bytes */
  count: z.enum(['number', 'items', 'characters', 'bytes']).optional(),
  /** a word → its count, instead of `count` */
  values: z.record(name, count).optional(),
  /** the count where the pointer leads nowhere */
  absent: count.optional(),
  /** the most one call can count: the bound where the count is not known */
  max: count.optional(),
  usd,
  /** how many units `usd` pays for; 1 where it is not written */
  per: z.int().positive().optional(),
});

const row = z.strictObject({
  from: date,
  per_call: usd.optional(),
  units: z.array(unit).min(1).optional(),
  /** what a call costs that the tool itself says has failed (`isError`) */
  failed: z.enum(['charged', 'free']).optional(),
});

const tool = z.strictObject({
  tool: name,
  server: name.optional(),
  /** names it goes by where no server is named, such as a client's `mcp__server__tool` */
  aliases: z.array(name).optional(),
  checked: date,
  sources: z.array(name).min(1).optional(),
  rows: z.array(row).min(1),
});

/** The form of `pricing/tools.yaml`. Every object is strict; every amount is a decimal string of US dollars. */
export const toolFile = z.strictObject({
  currency: z.literal('USD'),
  sources: z.array(name).min(1).optional(),
  tools: z.array(tool),
});

export type ToolFile = z.infer<typeof toolFile>;
export type ToolFileEntry = ToolFile['tools'][number];
export type ToolFileRow = ToolFileEntry['rows'][number];
export type ToolFileUnit = NonNullable<ToolFileRow['units']>[number];

/** Every member name that a tool price file may use somewhere, for suggestions. */
export const TOOL_FILE_KEYS: readonly string[] = [
  ...new Set([toolFile, tool, row, unit].flatMap(({ shape }) => Object.keys(shape))),
];
