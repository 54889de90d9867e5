import { isObject, type Json, member } from '../../domain/json.ts';
import { pointerTokens } from '../../domain/pointer.ts';
import { type DefinitionChange, definitionChanges } from '../../domain/tool-definition.ts';

/** A server's claims about a tool, and what each stands for where it is left out (MCP, ToolAnnotations). `safe`: the value that asks for more trust. */
const CLAIMS: readonly { readonly name: string; readonly absent: boolean; readonly safe: boolean }[] = [
  { name: 'readOnlyHint', absent: false, safe: true },
  { name: 'destructiveHint', absent: true, safe: false },
  { name: 'idempotentHint', absent: false, safe: true },
  { name: 'openWorldHint', absent: true, safe: false },
];

const claim = (definition: Json, { name, absent }: (typeof CLAIMS)[number]): boolean => {
  const value = member(member(definition, 'annotations'), name);
  return typeof value === 'boolean' ? value : absent;
};

/** Claims that ask for more trust than the approved definition did, and promises that were taken back; both are reasons to look again. */
function changedClaims(
  before: Json,
  after: Json,
): { readonly safer: readonly string[]; readonly weaker: readonly string[] } {
  const changed = CLAIMS.filter((c) => claim(before, c) !== claim(after, c));
  return {
    safer: changed.filter((c) => claim(after, c) === c.safe).map((c) => c.name),
    weaker: changed.filter((c) => claim(after, c) !== c.safe).map((c) => c.name),
  };
}

const WORDS: Readonly<Record<string, string>> = {
  inputSchema: 'input schema',
  outputSchema: 'output schema',
  mimeType: 'media type',
  uriTemplate: 'URI template',
  uri: 'URI',
};

const fieldsOf = (changes: readonly DefinitionChange[]): readonly string[] => [
  ...new Set(changes.map(({ at }) => pointerTokens(at)[0] ?? '').filter((field) => field !== '')),
];

/** `its description and input schema changed after it was approved; it no longer promises \`readOnlyHint\``: for the agent and the operator. */
export function whyChanged(before: string, after: string): string {
  const fields = fieldsOf(definitionChanges(before, after)).map((field) => WORDS[field] ?? field);
  const what = fields.length === 0 ? 'it' : `its ${fields.join(' and ')}`;
  const [old, now] = [JSON.parse(before) as Json, JSON.parse(after) as Json];
  const parts = [`${what} changed after it was approved`];
  if (isObject(old) && isObject(now)) {
    const { safer, weaker } = changedClaims(old, now);
    if (safer.length > 0) parts.push(`it now claims to be safer (\`${safer.join('`, `')}\`)`);
    if (weaker.length > 0) parts.push(`it takes back what it claimed (\`${weaker.join('`, `')}\`)`);
  }
  return parts.join('; ');
}
