import { z } from 'zod';
import { POINTS } from '../domain/action.ts';
import { SCOPES, WINDOWS } from '../domain/budget.ts';
import { DECISIONS } from '../domain/verdict.ts';

const amount = z.number().min(0);
const count = z.int().min(0);
const strings = z.array(z.string());

const budget = z.strictObject({
  limit_usd: amount.default(10),
  spent_usd: amount.default(0),
  held_usd: amount.default(0),
  left_usd: amount.optional(),
  resets_in_s: amount.default(0),
  window: z.enum(WINDOWS).default('total'),
});

const tool = z.union([
  z.string(),
  z.strictObject({
    name: z.string(),
    server: z.string().optional(),
    price_usd: amount.optional(),
    pinned: z.boolean().optional(),
  }),
]);
const model = z.union([
  z.string(),
  z.strictObject({
    name: z.string(),
    provider: z.string().default(''),
    stream: z.boolean().default(false),
    max_output_tokens: count.optional(),
    tools: strings.default([]),
  }),
]);

const finding = z.strictObject({
  kind: z.string(),
  /** the part it stands in; the first that holds `text` where left out */
  at: z.string().optional(),
  /** what was found; the whole part where left out */
  text: z.string().min(1).optional(),
  status: z.enum(['found', 'unknown']).default('found'),
});

/** Facts of a case; what is left out is what an unremarkable first call would have. */
const FACTS = z.strictObject({
  now: z.iso.datetime().optional(),
  request: z
    .strictObject({ headers: z.record(z.string(), z.string()), path: z.string(), ip: z.string() })
    .partial()
    .optional(),
  agent: z
    .strictObject({ id: z.string(), name: z.string(), tier: z.string(), verified: z.boolean() })
    .partial()
    .optional(),
  human: z
    .strictObject({ id: z.string(), email: z.string(), groups: strings, verified: z.boolean() })
    .partial()
    .optional(),
  tenant: z.strictObject({ id: z.string() }).optional(),
  delegation: z.strictObject({ depth: count, chain: strings, scopes: strings }).partial().optional(),
  run: z
    .strictObject({
      id: z.string(),
      steps: count,
      spent_usd: amount,
      elapsed_s: amount,
      labels: strings,
      tools: strings,
      calls: z.record(z.string(), count),
      /** tool → seconds since the run last called it */
      last: z.record(z.string(), amount),
      identical_calls: count,
      cycle: z.strictObject({ period: count, repeats: count }),
      velocity_usd_per_min: amount,
      no_progress: count,
      context_growth: amount,
      uncached_ratio: amount,
      near_duplicates: count,
      retries: count,
      fan_out_per_min: count,
      depth: count,
    })
    .partial()
    .optional(),
  budget: z.strictObject(Object.fromEntries(SCOPES.map((s) => [s, budget.optional()]))).optional(),
  quote: z
    .strictObject({ max_usd: amount, expected_usd: amount, priced: z.boolean(), bounded: z.boolean() })
    .partial()
    .optional(),
  usage: z.strictObject({ input: count, output: count, cache_read: count, cache_write: count }).partial().optional(),
  cost_usd: amount.optional(),
});

/** What the verdict must be; what is left out is not looked at. */
const EXPECT = z.strictObject({
  decision: z.enum(DECISIONS),
  rule: z.string().optional(),
  reason: z.string().optional(),
  hits: strings.optional(),
  target: z.json().optional(),
  labels: strings.optional(),
  cap: z.union([count, z.literal('affordable')]).optional(),
  halt: z.enum(['run', 'agent', 'human']).optional(),
});

const CASE = z.strictObject({
  name: z.string().min(1),
  /** the case once for each of these texts, or for each character of one text: it replaces `<each>` in all values */
  each: z.union([strings.min(1, 'must name at least one'), z.string().min(1, 'must not be empty')]).optional(),
  at: z.enum(POINTS),
  plane: z.enum(['llm', 'mcp', 'hook']).default('llm'),
  tool: tool.optional(),
  model: model.optional(),
  /** the policy target; `args`, `result` and `text` are other words for it */
  target: z.json().optional(),
  args: z.json().optional(),
  result: z.json().optional(),
  text: z.string().optional(),
  frozen: strings.default([]),
  findings: z.array(finding).default([]),
  /** tokens of the run and what they stand for; one that is left out stands for nothing */
  tokens: z.record(z.string(), z.strictObject({ kind: z.string(), value: z.string().min(1) })).default({}),
  facts: FACTS.default({}),
  expect: EXPECT,
});
export type CaseText = z.infer<typeof CASE>;

/** `cases.yaml`: examples that say what a bundle decides. */
export const CASES = z.strictObject({
  /** the bundle the short rule ids belong to; the folder's name where left out */
  bundle: z.string().optional(),
  cases: z.array(CASE),
});

export function knownCaseFields(path: readonly PropertyKey[]): readonly string[] {
  if (path.length === 0) return Object.keys(CASES.shape);
  if (path.length === 2) return Object.keys(CASE.shape);
  if (path[2] === 'expect') return Object.keys(EXPECT.shape);
  if (path[2] === 'facts' && path.length === 3) return Object.keys(FACTS.shape);
  return [];
}
