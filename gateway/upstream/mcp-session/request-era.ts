import { isObject, member } from '../../domain/json.ts';
import type { RpcMessage } from './rpc-message.ts';

export type Era = 'legacy' | 'modern';

/** The first revision without sessions. */
export const MODERN_SINCE = '2026-07-28';
export const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion';

/** The era a client's message is of (mcp-plane.md 2): by its body, or by the header of a message that has no `_meta`. */
export function eraOfRequest(message: RpcMessage, version: string | undefined): Era {
  const meta = member(member(message.value, 'params'), '_meta');
  if (isObject(meta) && meta[VERSION_KEY] !== undefined) return 'modern';
  return version !== undefined && version >= MODERN_SINCE ? 'modern' : 'legacy';
}
