import { hash } from 'node:crypto';
import { z } from 'zod';
import { canonicalExact, parseExact, prettyExact } from '../../domain/exact-json.ts';
import { type EpochMs, epochMs } from '../../domain/scalars.ts';
import { type Problem, readSource } from '../../domain/source.ts';
import { visibleText } from '../../domain/visible-text.ts';
import type { Trusted } from '../../ports/pin-store.ts';
import type { PinKind } from '../../ports/pins.ts';

const HEAD = `# The MCP definitions this gate trusts. \`tollgate mcp pins\` writes this file: review its changes like code.
pins: tollgate/v1
`;

const SECTIONS: readonly (readonly [section: string, kind: PinKind])[] = [
  ['tools', 'tool'],
  ['prompts', 'prompt'],
  ['resources', 'resource'],
  ['instructions', 'instructions'],
];

const digest = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in lower-case hex');
const entry = z.strictObject({
  sha256: digest,
  beside: digest.optional(),
  approved: z.iso.datetime(),
  by: z.string().min(1),
  definition: z.string().optional(),
});
const named = z.record(z.string(), z.array(entry).min(1)).optional();
const lockSchema = z.strictObject({
  pins: z.literal('tollgate/v1'),
  servers: z
    .record(
      z.string(),
      z.strictObject({
        tools: named,
        prompts: named,
        resources: named,
        instructions: z.array(entry).min(1).optional(),
      }),
    )
    .default({}),
});

const sha256 = (text: string): string => hash('sha256', text, 'hex');

/** Reads a lock file. Never throws: mistakes are problems with a place, also a definition that does not have its hash. */
export function readLockText(
  path: string,
  text: string,
): { readonly pins: readonly Trusted[]; readonly problems: readonly Problem[] } {
  const source = readSource(path, text, 'tollgate/v1');
  if (source.problems.length > 0) return { pins: [], problems: source.problems };
  const parsed = lockSchema.safeParse(source.value);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => {
      const said =
        issue.code === 'unrecognized_keys'
          ? `unknown key \`${visibleText(issue.keys.join('`, `'))}\``
          : `${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}`;
      const where = issue.path.length === 0 ? '' : ` in \`${visibleText(issue.path.map(String).join('.'))}\``;
      const at = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : issue.path;
      return source.problem(at, `${said}${where}`, { key: issue.code === 'unrecognized_keys' });
    });
    return { pins: [], problems };
  }
  const pins: Trusted[] = [];
  const problems: Problem[] = [];
  for (const [server, sections] of Object.entries(parsed.data.servers)) {
    for (const [section, kind] of SECTIONS) {
      const content = sections[section as keyof typeof sections] ?? {};
      const byName = Array.isArray(content) ? { '': content } : content;
      for (const [name, entries] of Object.entries(byName)) {
        for (const [i, item] of entries.entries()) {
          const definition = pinnedText(item.definition);
          if (item.definition !== undefined && (definition === undefined || sha256(definition) !== item.sha256)) {
            const at = ['servers', server, section, ...(kind === 'instructions' ? [] : [name]), i, 'sha256'];
            problems.push(
              source.problem(at, 'the definition does not have this hash; it was edited by hand: approve it again'),
            );
          }
          const at = epochMs(Date.parse(item.approved));
          pins.push({
            server,
            kind,
            name,
            hash: item.sha256,
            beside: item.beside ?? '',
            text: definition,
            at,
            by: item.by,
          });
        }
      }
    }
  }
  return { pins: problems.length > 0 ? [] : pins, problems };
}

function pinnedText(definition: string | undefined): string | undefined {
  if (definition === undefined) return undefined;
  try {
    return canonicalExact(parseExact(definition));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

const PLAIN = /^(?!(?:true|false|null|yes|no|on|off|y|n)$)[A-Za-z_][A-Za-z0-9_-]*$/i;
const quoted = (text: string): string => visibleText(JSON.stringify(text));
const keyText = (name: string): string => (PLAIN.test(name) ? name : quoted(name));
const time = (at: EpochMs): string => new Date(at).toISOString();
const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The lock file's text: the same pins give the same bytes; servers, kinds and names in order, the oldest approval first. */
export function lockText(pins: readonly Trusted[]): string {
  const servers = [...new Set(pins.map((p) => p.server))].sort(byText);
  if (servers.length === 0) return `${HEAD}servers: {}\n`;
  const lines = [`${HEAD}servers:`];
  for (const server of servers) {
    lines.push(`  ${keyText(server)}:`);
    for (const [section, kind] of SECTIONS) {
      const here = pins.filter((p) => p.server === server && p.kind === kind);
      if (here.length === 0) continue;
      lines.push(`    ${section}:`);
      if (kind === 'instructions') lines.push(...entryLines(here, '      '));
      else
        for (const name of [...new Set(here.map((p) => p.name))].sort(byText))
          lines.push(
            `      ${keyText(name)}:`,
            ...entryLines(
              here.filter((p) => p.name === name),
              '        ',
            ),
          );
    }
  }
  return `${lines.join('\n')}\n`;
}

function entryLines(pins: readonly Trusted[], indent: string): string[] {
  return [...pins]
    .sort((a, b) => a.at - b.at || byText(a.hash, b.hash))
    .flatMap(({ hash: sha, beside, at, by, text }) => {
      const fields = [`sha256: ${quoted(sha)}`];
      if (beside !== '') fields.push(`beside: ${quoted(beside)}`);
      fields.push(`approved: ${quoted(time(at))}`, `by: ${quoted(by)}`);
      if (text !== undefined)
        fields.push(
          'definition: |-',
          ...prettyExact(parseExact(text), quoted)
            .split('\n')
            .map((line) => `  ${line}`),
        );
      return fields.map((field, i) => `${indent}${i === 0 ? '- ' : '  '}${field}`);
    });
}
