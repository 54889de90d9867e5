import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { RUNTIME_ERRORS } from '../gateway/domain/verdict.ts';
import { BUNDLE, TRANSFORMS } from '../gateway/policy/bundle-schema.ts';
import { typeName } from '../gateway/policy/condition/cel-type.ts';
import { FUNCTIONS } from '../gateway/policy/condition/functions.ts';
import { NAMES } from '../gateway/policy/condition/names.ts';

const GUIDE = 'docs/policies.md';
const SCHEMA = 'docs/policy.schema.json';

const cell = (text: string): string => text.replaceAll('|', '\\|');
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');

function names(): string {
  const rows = [...NAMES]
    .filter(([path]) => !path.startsWith('budget.') || path.startsWith('budget.run.'))
    .map(([path, { type, doc, points }]) => [
      `\`${path.replace('budget.run.', 'budget.<scope>.')}\``,
      typeName(type),
      doc.replace('per run', 'per scope') + (points ? ` (at ${points.join(', ')})` : ''),
    ]);
  return table(['name', 'type', 'what it is'], rows);
}

function functions(): string {
  const rows = FUNCTIONS.map(({ name, form, params, result, doc }) => {
    const kinds = params.map((kinds) => kinds.join(' or '));
    const [first = '', ...rest] = kinds;
    const call =
      form === 'method'
        ? `${first}.${name}(${rest.join(', ')})`
        : `${form === 'run' ? 'run.' : ''}${name}(${kinds.join(', ')})`;
    return [`\`${call}\``, result, doc];
  });
  return table(['function', 'result', 'what it answers'], rows);
}

const transforms = (): string =>
  Object.keys(TRANSFORMS)
    .map((name) => `\`${name}\``)
    .join(', ');
const reasons = (): string => RUNTIME_ERRORS.map((reason) => `\`${reason}\``).join(', ');

/** The guide with what stands between its markers made from the tables the judge itself uses. */
export function guideText(text: string): string {
  const parts: Readonly<Record<string, () => string>> = { names, functions, transforms, reasons };
  return text.replace(
    /<!-- gen:(\w+) -->[\s\S]*?<!-- \/gen -->/g,
    (_, part: string) => `<!-- gen:${part} -->\n${parts[part]?.() ?? ''}\n<!-- /gen -->`,
  );
}

/** The JSON Schema of `policy.yaml` for editors, from the schema the loader validates with. */
export function schemaText(): string {
  const { $schema, ...schema } = z.toJSONSchema(BUNDLE, { io: 'input' });
  return `${JSON.stringify({ $schema, title: 'Tollgate policy', ...schema }, null, 2)}\n`;
}

function main(args: readonly string[]): void {
  const guide = readFileSync(GUIDE, 'utf8');
  for (const [path, text] of [
    [GUIDE, guideText(guide)],
    [SCHEMA, schemaText()],
  ] as const) {
    if (text === readText(path)) continue;
    if (args.includes('--check')) {
      console.error(`stale: \`${path}\`; run \`npm run gen\``);
      process.exitCode = 1;
    } else {
      writeFileSync(path, text);
      console.log(`wrote ${path}`);
    }
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

if (import.meta.main) main(process.argv.slice(2));
