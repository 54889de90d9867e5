import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Difference } from './compare.ts';

const entries = z.array(
  z.strictObject({
    /** `*` stands for any text, `{a,b}` for one of two */
    scenario: z.string().min(1),
    /** check and JSON Pointer, `*` for any text */
    at: z.string().min(1),
    /** patterns of what each side may show, as JSON; absent: nothing stands there */
    direct: z.string().optional(),
    through: z.string().optional(),
    reason: z.string().min(10),
    /** whether it shows depends on the moment: it may cover nothing */
    sometimes: z.boolean().default(false),
  }),
);

export type ReviewedEntry = z.output<typeof entries>[number];

/** Differences that somebody looked at and gave a reason for. */
export interface Reviewed {
  covers(difference: Difference): boolean;
  /** entries that covered nothing so far: they promise a difference that is gone */
  unused(): readonly ReviewedEntry[];
}

const escaped = (text: string): string => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
const glob = (pattern: string): RegExp => new RegExp(`^${pattern.split('*').map(escaped).join('.*')}$`, 's');

/** A scenario's pattern may begin with a choice. */
const choice = (pattern: string): RegExp => {
  const [, names, rest] = /^\{(.*)\}(.*)$/s.exec(pattern) ?? [undefined, pattern, ''];
  const each = names?.split(',').map((name) => glob(`${name}${rest}`).source);
  return new RegExp(each?.join('|') ?? '', 's');
};

/** Whether a value is as the list says: nothing where it says nothing, else JSON that fits the pattern whole. */
function shows(pattern: RegExp | undefined, value: unknown): boolean {
  return pattern === undefined ? value === undefined : value !== undefined && pattern.test(JSON.stringify(value));
}

/** Reads a reviewed list. Throws for one that is malformed. */
export function readReviewed(list: unknown): Reviewed {
  const rules = entries.parse(list).map((entry) => ({
    entry,
    scenario: choice(entry.scenario),
    at: glob(entry.at),
    direct: entry.direct === undefined ? undefined : glob(entry.direct),
    through: entry.through === undefined ? undefined : glob(entry.through),
    used: false,
  }));
  return {
    covers: (difference) => {
      const fitting = rules.filter(
        (rule) =>
          rule.scenario.test(difference.scenario) &&
          rule.at.test(difference.at) &&
          shows(rule.direct, difference.direct) &&
          shows(rule.through, difference.through),
      );
      for (const rule of fitting) rule.used = true;
      return fitting.length > 0;
    },
    unused: () => rules.filter(({ used, entry }) => !used && !entry.sometimes).map(({ entry }) => entry),
  };
}

/** The committed list. */
export const committedReviewed = (): Reviewed =>
  readReviewed(parse(readFileSync(join(import.meta.dirname, 'reviewed.yaml'), 'utf8')) ?? []);
