import type { TextPart } from '../../domain/action.ts';
import { asString, isArray, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import { childPointer, type Pointer } from '../../domain/pointer.ts';
import type { RequestBound } from '../../domain/pricing.ts';
import { isHosted } from './item.ts';

/** A declared tool and where it stands. */
export interface DeclaredTool {
  readonly tool: JsonObject;
  readonly at: Pointer;
}

const typeOf = (tool: Json): string => asString(member(tool, 'type')) ?? 'function';

/** Dated and preview spellings of a built-in tool's type, by how they begin. */
const PLAIN = ['web_search', 'computer', 'code_interpreter', 'file_search', 'image_generation', 'tool_search'];

const plainType = (tool: Json): string => PLAIN.find((start) => typeOf(tool).startsWith(start)) ?? typeOf(tool);

/** Every tool of a list, those inside a namespace too. */
export function declaredTools(list: Json | undefined, at: Pointer): DeclaredTool[] {
  return (isArray(list) ? list : []).flatMap((tool, i) => {
    if (!isObject(tool)) return [];
    const place = childPointer(at, i);
    const inner = typeOf(tool) === 'namespace' ? declaredTools(tool['tools'], `${place}/tools`) : [];
    return [{ tool, at: place }, ...inner];
  });
}

/** The name rules and receipts know a tool by: its own, an MCP server's label, else its type. */
export const toolNames = (tools: readonly DeclaredTool[]): string[] => [
  ...new Set(tools.map(({ tool }) => asString(tool['name']) ?? asString(tool['server_label']) ?? plainType(tool))),
];

/** What tools say of themselves: the model reads it. */
export const toolTexts = (tools: readonly DeclaredTool[]): TextPart[] =>
  tools.flatMap(({ tool, at }) =>
    ['description', 'server_description'].flatMap((name) => {
      const text = asString(tool[name]);
      return text === undefined || text === '' ? [] : [{ at: childPointer(at, name), text }];
    }),
  );

/** Tools that run on the caller's side: each call ends the response. */
const CLIENT_RUN = new Set(['function', 'custom', 'namespace', 'local_shell', 'apply_patch', 'computer']);
const FEES: Readonly<Record<string, string>> = { code_interpreter: 'code_session', shell: 'code_session' };

/** Tools that the provider runs by itself, the imitations' own included; `max_tool_calls` bounds all of them together. */
export function serverTools(tools: readonly DeclaredTool[], maxCalls: number | undefined): RequestBound['serverTools'] {
  return tools.flatMap(({ tool }) => {
    const type = plainType(tool);
    if (CLIENT_RUN.has(type)) return [];
    if (type === 'shell' && !isHosted(tool['environment'])) return [];
    if (type === 'tool_search' && tool['execution'] === 'client') return [];
    return [{ fee: FEES[type] ?? type, ...(maxCalls !== undefined && { maxUses: maxCalls }) }];
  });
}
