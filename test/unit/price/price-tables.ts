import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { SourceFile } from '../../../gateway/domain/source.ts';
import type { Cashier } from '../../../gateway/price/cashier.ts';
import { compilePrices } from '../../../gateway/price/compile.ts';

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The price files of this repository. */
export const committedFiles = (): SourceFile[] =>
  readdirSync('pricing')
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .map((name) => ({ path: `pricing/${name}`, text: readFileSync(`pricing/${name}`, 'utf8') }));

export const HEAD = `provider: acme
currency: USD
sources: ["https://acme.test/pricing"]
`;

/** A cashier over one file with the given models. */
export const cashierOf = (models: string, head = HEAD): Cashier =>
  compilePrices([{ path: 'acme.yaml', text: `${head}models:\n${models}` }], sha256);

/** One model with one row, as YAML. */
export const plainModel = (id: string, rates: string, more = ''): string => `  - id: ${id}
    window: 200000
    max_output: 8000
    checked: 2026-11-22
    rows:
      - from: 2025-01-01
        rates: { ${rates} }
${more}`;
