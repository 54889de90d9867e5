import { isArray, isObject, member } from '../../domain/json.ts';
import { type Era, MODERN_SINCE, VERSION_KEY } from '../mcp-session/request-era.ts';
import { type RpcMessage, readMessage } from '../mcp-session/rpc-message.ts';

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
            [VERSION_KEY]: MODERN_SINCE,
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
