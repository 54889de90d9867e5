import { type CsvFile, type CsvRow, readCsv } from './csv.ts';
import { countOf, dollars, roundingOf } from './decimal.ts';
import { NO_USE, type Use } from './use.ts';

/** One line of a provider's export. */
export interface ExportRow {
  readonly line: number;
  readonly day: string;
  /** as the export names it; undefined: the line is about no model (a fee, a daily total) */
  readonly model: string | undefined;
  /** the provider's own key: id or name, as the export has it */
  readonly key: string | undefined;
  readonly use: Use;
  /** it says what tokens were used; false: only what something cost */
  readonly counts: boolean;
}

export interface ExportFile {
  readonly kind: string;
  readonly rows: readonly ExportRow[];
  /** every day that the file covers, days without use included */
  readonly days: readonly string[];
}

interface Format {
  readonly kind: string;
  /** columns that tell it apart; all of them have to be there */
  readonly needs: readonly string[];
  readonly read: (row: Cells) => Omit<ExportRow, 'line' | 'day'> | undefined;
}

/** Cells of one row; a column that is not there is empty. */
class Cells {
  readonly #row: CsvRow;
  constructor(row: CsvRow) {
    this.#row = row;
  }
  text = (...names: string[]): string =>
    names.map((name) => this.#row.cells.get(name) ?? '').find((cell) => cell !== '') ?? '';
  count = (name: string): number => countOf(this.text(name));
  optional = (...names: string[]): string | undefined => this.text(...names) || undefined;
}

/**
 * The exports that are known, by their columns:
 * OpenAI "Activity" (https://help.openai.com/en/articles/8554956) names columns like its usage API
 * (https://platform.openai.com/docs/api-reference/usage): `input_tokens` holds cached and written ones; "Cost" has one line per
 * `line_item`, such as `gpt-5-nano, input_tokens`. Anthropic "Usage" has disjoint columns, "Cost" one line per `token_type`
 * (https://support.anthropic.com/en/articles/9534590-cost-and-usage-reporting-in-console).
 */
const FORMATS: readonly Format[] = [
  {
    kind: 'OpenAI activity',
    needs: ['start_time', 'model', 'input_tokens', 'num_model_requests'],
    read(row) {
      const model = row.optional('model');
      const [input, read, write] = [
        row.count('input_tokens'),
        row.count('input_cached_tokens'),
        row.count('input_cache_write_tokens'),
      ];
      const use = {
        ...NO_USE,
        calls: row.count('num_model_requests'),
        input: Math.max(0, input - read - write),
        cache_read: read,
        cache_write: write,
        output: row.count('output_tokens'),
      };
      if (model === undefined && input + use.output > 0)
        throw new SyntaxError('tokens without a model; export with "group by: model"');
      return model === undefined ? undefined : { model, key: row.optional('api_key_id'), use, counts: true };
    },
  },
  {
    kind: 'OpenAI cost',
    needs: ['start_time', 'amount_value'],
    read(row) {
      const amount = row.optional('amount_value');
      if (amount === undefined) return undefined;
      const [model, what] = splitItem(row.text('line_item'));
      return {
        model,
        key: row.optional('api_key_id'),
        use: priced(amount, /token|input|output|cached/i.test(what)),
        counts: false,
      };
    },
  },
  {
    kind: 'Anthropic usage',
    needs: ['usage_date_utc', 'model_version', 'usage_input_tokens_no_cache', 'usage_output_tokens'],
    read: (row) => ({
      model: row.optional('model_version'),
      key: row.optional('api_key_id', 'api_key'),
      counts: true,
      use: {
        ...NO_USE,
        input: row.count('usage_input_tokens_no_cache'),
        cache_read: row.count('usage_input_tokens_cache_read'),
        cache_write:
          row.count('usage_input_tokens_cache_write_5m') +
          row.count('usage_input_tokens_cache_write_1h') +
          row.count('usage_input_tokens_cache_write'),
        output: row.count('usage_output_tokens'),
      },
    }),
  },
  {
    kind: 'Anthropic cost',
    needs: ['usage_date_utc', 'cost_usd', 'token_type'],
    read(row) {
      const ofTokens =
        row.text('cost_type') === 'token' || (row.text('cost_type') === '' && row.text('token_type') !== '');
      return {
        model: row.optional('model'),
        key: row.optional('api_key_id', 'api_key'),
        use: priced(row.text('cost_usd') || '0', ofTokens),
        counts: false,
      };
    },
  },
];

/** `gpt-5-nano, input_tokens` → its model and what of it was billed. */
function splitItem(item: string): [string | undefined, string] {
  const comma = item.indexOf(',');
  return comma < 0 ? [undefined, item] : [item.slice(0, comma).trim() || undefined, item.slice(comma + 1).trim()];
}

const priced = (amount: string, ofTokens: boolean): Use => ({
  ...NO_USE,
  slack: roundingOf(amount),
  ...(ofTokens ? { tokenCost: dollars(amount) } : { feeCost: dollars(amount) }),
});

/** Reads an export of OpenAI or Anthropic, told apart by its columns. Throws a SyntaxError that names the line and what to do. */
export function readExport(text: string): ExportFile {
  const file = readCsv(text);
  const format = FORMATS.find(({ needs }) => needs.every((name) => file.columns.includes(name)));
  if (format === undefined) throw new SyntaxError(unknownColumns(file));
  const days = new Set<string>();
  const rows: ExportRow[] = [];
  for (const row of file.rows) {
    try {
      const cells = new Cells(row);
      const day = dayIn(cells);
      days.add(day);
      const read = format.read(cells);
      if (read !== undefined) rows.push({ line: row.line, day, ...read });
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new SyntaxError(`line ${row.line}: ${error.message}`);
    }
  }
  return { kind: format.kind, rows, days: [...days].sort() };
}

function unknownColumns({ columns }: CsvFile): string {
  const empty = columns.includes('start_time') && columns.length <= 4;
  if (empty) return 'the export has no usage columns: nothing was used in its days, or it was exported without data';
  const known = FORMATS.map(({ kind, needs }) => `${kind} (${needs.join(', ')})`).join('; ');
  return `its columns are not those of a known export; known are ${known}`;
}

/** The UTC day of a row: seconds since 1970, an ISO time, or a date. */
function dayIn(row: Cells): string {
  const written = row.text('start_time_iso', 'usage_date_utc', 'start_time');
  const time = /^[0-9]{9,11}(?:\.0+)?$/.test(written) ? Number(written) * 1000 : Date.parse(asUtc(written));
  if (Number.isNaN(time)) throw new SyntaxError(`\`${written}\` is no day`);
  return new Date(time).toISOString().slice(0, 10);
}

/** The exports leave the zone out now and then; their times are UTC. */
const asUtc = (text: string): string =>
  /T[0-9:.]+$/.test(text)
    ? `${text}Z`
    : text.replace(
        /^(\d{4})\/(\d{1,2})\/(\d{1,2})$/,
        (_, y, m, d) => `${y}-${m.padStart(2, '0')}-${d.padStart(2, '0')}`,
      );
