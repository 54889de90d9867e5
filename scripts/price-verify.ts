import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { UsageMeter } from '../gateway/dialects/anthropic-messages/usage-meter.ts';
import { geminiUsage } from '../gateway/dialects/gemini/usage.ts';
import { chatUsage } from '../gateway/dialects/openai-chat/usage.ts';
import { type Json, member } from '../gateway/domain/json.ts';
import type { CostLine } from '../gateway/domain/pricing.ts';
import { epochMs } from '../gateway/domain/scalars.ts';
import type { Usage } from '../gateway/domain/usage.ts';
import type { Cashier } from '../gateway/price/cashier.ts';
import { compilePrices } from '../gateway/price/compile.ts';

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
  /** the cost's, or `no_table` where the provider has no price file */
  readonly status: string;
  readonly ours: { readonly input_usd: number; readonly output_usd: number };
  readonly expected: { readonly input_usd: number; readonly output_usd: number };
}

export interface Verdict {
  readonly rows: number;
  readonly within: number;
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
  entries: [{ leaves: geminiUsage(member(body, 'usageMetadata'))?.leaves ?? {} }],
  certainty: 'exact',
});

const NORMALISERS: Readonly<Record<string, (body: Json) => Usage>> = {
  anthropic: messages,
  'openai-chat': chat,
  'openai-responses': chat,
  gemini,
};

const OUTPUT = /^(?:output|reasoning)/;

const usd = (lines: readonly CostLine[], wanted: (leaf: string) => boolean): number =>
  Number(lines.reduce((sum, { leaf, amount }) => (wanted(leaf) ? sum + amount : sum), 0n)) / 1e12;

const near = (a: number, b: number): boolean => Math.abs(a - b) <= TOLERANCE_USD;

/** Prices every record and compares input and output apart, fees aside. Throws an Error on a wire language it does not know. */
export function verify(cashier: Cashier, records: readonly PriceRecord[]): Verdict {
  const off: Difference[] = [];
  const tallies = new Map<string, { rows: number; within: number }>();
  for (const [i, { provider, api, model, body, at, expected }] of records.entries()) {
    const normalise = NORMALISERS[api];
    if (normalise === undefined) throw new Error(`no normaliser for the api \`${api}\` of line ${i + 1}; add one`);
    const cost = cashier.cost(provider, model, normalise(body), epochMs(Date.parse(at)));
    const status = cashier.providers.includes(provider) ? cost.status : 'no_table';
    const ours = {
      input_usd: usd(cost.lines, (leaf) => !leaf.startsWith('fee:') && !OUTPUT.test(leaf)),
      output_usd: usd(cost.lines, (leaf) => OUTPUT.test(leaf)),
    };
    const theirs = { input_usd: Number(expected.input_usd), output_usd: Number(expected.output_usd) };
    const agrees =
      (status === 'exact' || status === 'estimated') &&
      near(ours.input_usd, theirs.input_usd) &&
      near(ours.output_usd, theirs.output_usd);
    const { rows, within } = tallies.get(provider) ?? { rows: 0, within: 0 };
    tallies.set(provider, { rows: rows + 1, within: within + Number(agrees) });
    if (!agrees) off.push({ line: i + 1, provider, model, status, ours, expected: theirs });
  }
  return {
    rows: records.length,
    within: records.length - off.length,
    by_provider: Object.fromEntries(tallies),
    off,
  };
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
  console.log(JSON.stringify(verdict));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main(process.argv.slice(2));
