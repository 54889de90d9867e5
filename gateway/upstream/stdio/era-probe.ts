import { isArray, isObject, member } from '../../domain/json.ts';
import { type RpcMessage, readMessage } from '../mcp-session/rpc-message.ts';

export type Era = 'legacy' | 'modern';

/** The first revision without sessions. */
export const MODERN_SINCE = '2026-07-28';
const VERSION = 'io.modelcontextprotocol/protocolVersion';
/** Errors that only a server of the new era knows: header mismatch, missing capability, unsupported version. */
const MODERN_ERRORS = new Set([-32020, -32021, -32022]);

/** `server/discover` as the gate asks it. */
export const discoverMessage = (): RpcMessage =>
  readMessage(
    Buffer.from(
      JSON.stringify({
        jsonrpc: '2.0',
        id: 0,
        method: 'server/discover',
        params: {
          _meta: {
            [VERSION]: MODERN_SINCE,
            'io.modelcontextprotocol/clientInfo': { name: 'tollgate', version: '0' },
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      }),
    ),
  );

/** What the answer to `server/discover` tells about its server: silence and any other error mean legacy. */
export function eraOf(answer: string | undefined): Era {
  if (answer === undefined) return 'legacy';
  const { value } = readMessage(Buffer.from(answer));
  const { result, error } = value;
  if (isObject(result)) return isArray(result['supportedVersions']) ? 'modern' : 'legacy';
  const code = member(error, 'code');
  return typeof code === 'number' && MODERN_ERRORS.has(code) ? 'modern' : 'legacy';
}

/** The era a client's message is of (mcp-plane.md 2): by its body, or by the header of a message that has no `_meta`. */
export function eraOfRequest(message: RpcMessage, version: string | undefined): Era {
  const meta = member(member(message.value, 'params'), '_meta');
  if (isObject(meta) && meta[VERSION] !== undefined) return 'modern';
  return version !== undefined && version >= MODERN_SINCE ? 'modern' : 'legacy';
}
