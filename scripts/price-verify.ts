import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { UsageMeter } from '../gateway/dialects/anthropic-messages/usage-meter.ts';
import { chatUsage } from '../gateway/dialects/openai-chat/usage.ts';
import { type Json, member } from '../gateway/domain/json.ts';
import type { CostLine } from '../gateway/domain/pricing.ts';
import { epochMs } from '../gateway/domain/scalars.ts';
import type { Usage } from '../gateway/domain/usage.ts';
import type { Cashier } from '../gateway/price/cashier.ts';
import { compilePrices } from '../gateway/price/compile.ts';
import { geminiUsage } from './gemini-usage.ts';

/** A recorded reply's usage and what another table expects it to cost. */
export interface PriceRecord {
  readonly provider: string;
  readonly api: string;
  readonly model: string;
  readonly body: Json;
  readonly at: string;
  readonly expected: { readonly input_usd: string; readonly output_usd: string };
}

export interface Difference {
  /** 1-based line in the file */
  readonly line: number;
  readonly provider: string;
  readonly model: string;
  readonly status: string;
  readonly ours: { readonly input_usd: number; readonly output_usd: number };
  readonly expected: { readonly input_usd: number; readonly output_usd: number };
}

export interface Verdict {
  readonly rows: number;
  readonly within: number;
  /** rows of providers that have no price file */
  readonly without_table: Readonly<Record<string, number>>;
  readonly by_provider: Readonly<Record<string, { readonly rows: number; readonly within: number }>>;
  readonly off: readonly Difference[];
}

const TOLERANCE_USD = 1e-9;

function chat(body: Json): Usage {
  const read = chatUsage(member(body, 'usage'));
  return { entries: read === undefined ? [] : [{ leaves: read.leaves, fees: read.fees }], certainty: 'exact' };
}

function messages(body: Json): Usage {
  const meter = new UsageMeter();
  meter.update(member(body, 'usage'));
  const { entries } = meter.metered({ model: undefined, cacheWrite: undefined, outputFloor: 0 });
  return { entries, certainty: 'exact' };
}

const gemini = (body: Json): Usage => ({
  entries: [{ leaves: geminiUsage(member(body, 'usageMetadata')) }],
  certainty: 'exact',
});

const NORMALISERS: Readonly<Record<string, (body: Json) => Usage>> = {
  anthropic: messages,
  'openai-chat': chat,
  'openai-responses': chat,
  gemini,
};

const OUTPUT = /^(?:output|reasoning)/;

/** Prices every record and compares input and output apart, fees aside. Throws an Error on a wire language it does not know. */
export function verify(cashier: Cashier, records: readonly PriceRecord[]): Verdict {
  const off: Difference[] = [];
  const without: Record<string, number> = {};
  const by: Record<string, { rows: number; within: number }> = {};
  for (const [i, { provider, api, model, body, at, expected }] of records.entries()) {
    const normalise = NORMALISERS[api];
    if (normalise === undefined) throw new Error(`no normaliser for the api \`${api}\` of line ${i + 1}; add one`);
    if (!cashier.providers.includes(provider)) {
      without[provider] = (without[provider] ?? 0) + 1;
      continue;
    }
    const { lines, status } = cashier.cost(provider, model, normalise(body), epochMs(Date.parse(at)));
    const usd = (wanted: (line: CostLine) => boolean): number =>
      Number(lines.filter(wanted).reduce((sum, { amount }) => sum + amount, 0n)) / 1e12;
    const ours = {
      input_usd: usd(({ leaf }) => !leaf.startsWith('fee:') && !OUTPUT.test(leaf)),
      output_usd: usd(({ leaf }) => OUTPUT.test(leaf)),
    };
    const theirs = { input_usd: Number(expected.input_usd), output_usd: Number(expected.output_usd) };
    const tally = (by[provider] ??= { rows: 0, within: 0 });
    tally.rows += 1;
    const agrees =
      status !== 'unpriced' &&
      Math.abs(ours.input_usd - theirs.input_usd) <= TOLERANCE_USD &&
      Math.abs(ours.output_usd - theirs.output_usd) <= TOLERANCE_USD;
    if (agrees) tally.within += 1;
    else off.push({ line: i + 1, provider, model, status, ours, expected: theirs });
  }
  const total = (pick: 'rows' | 'within'): number => Object.values(by).reduce((sum, tally) => sum + tally[pick], 0);
  return { rows: total('rows'), within: total('within'), without_table: without, by_provider: by, off };
}

/** The price files of this repository, compiled. */
export function committedCashier(folder = 'pricing'): Cashier {
  const names = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  const files = names.map((name) => ({ path: join(folder, name), text: readFileSync(join(folder, name), 'utf8') }));
  return compilePrices(files, (text) => createHash('sha256').update(text).digest('hex'));
}

/** The records of a file with one JSON object per line. */
export function readRecords(path: string): PriceRecord[] {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as PriceRecord);
}

function main(args: readonly string[]): void {
  const path = args[0] ?? join(process.env['RECORDED'] ?? '../shared/data', 'prices.jsonl');
  const verdict = verify(committedCashier(), readRecords(path));
  for (const { line, provider, model, status, ours, expected } of verdict.off)
    console.log(
      `line ${line} ${provider} ${model} (${status}): input ${ours.input_usd} against ${expected.input_usd}, output ${ours.output_usd} against ${expected.output_usd}`,
    );
  for (const [provider, { rows, within }] of Object.entries(verdict.by_provider))
    console.log(`${provider}: ${within} of ${rows} within ${TOLERANCE_USD} USD`);
  for (const [provider, rows] of Object.entries(verdict.without_table))
    console.log(`${provider}: ${rows} rows not judged, it has no price file`);
  console.log(JSON.stringify(verdict));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main(process.argv.slice(2));
