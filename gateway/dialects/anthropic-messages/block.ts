import { asString, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';

/** Tools that the provider runs itself: their calls and results pass, nobody else executes them. */
const RUN_BY_PROVIDER: ReadonlySet<string> = new Set(['server_tool_use', 'mcp_tool_use']);

/** The type of a content block; '' where it has none. */
export function blockType(block: Json | undefined): string {
  return asString(member(block, 'type')) ?? '';
}

/** True for a call that the caller's side executes: `tool_use` and any later kind of it. */
export function isCallType(type: string): boolean {
  return type.endsWith('tool_use') && !RUN_BY_PROVIDER.has(type);
}

/** True for a call that the provider executes within the reply. */
export function isProviderCallType(type: string): boolean {
  return RUN_BY_PROVIDER.has(type);
}

/** The elements of an array that are objects, each with its index. */
export function objectsOf(value: Json | undefined): { readonly index: number; readonly block: JsonObject }[] {
  if (!Array.isArray(value)) return [];
  return (value as readonly Json[]).flatMap((block, index) => (isObject(block) ? [{ index, block }] : []));
}
