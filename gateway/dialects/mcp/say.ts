import { isObject, type Json, type JsonObject } from '../../domain/json.ts';
import { RPC, RpcFault } from '../../domain/rpc-fault.ts';
import type { McpSaying } from '../../ports/mcp-wire.ts';

/** Our own prefix in `_meta` and the member under it. */
const OUR_META = 'tollgate/decision';

/** Ours lie outside the range JSON-RPC reserves (mcp-plane.md 4): -31403 is what HTTP would call 403. */
const ourCode = (status: number): number => -(31_000 + status);

/** The body of an answer of the gate's own: a result the model reads where a tool call was denied, else an error. */
export function say({ fault, id, asResult, era, call }: McpSaying): string {
  const told: JsonObject = {
    code: fault.code,
    call,
    ...(fault.rule !== undefined && { rule: fault.rule }),
    ...(fault.reason !== undefined && { reason: fault.reason }),
  };
  const head = `{"jsonrpc":"2.0"${id === undefined ? '' : `,"id":${id}`}`;
  if (asResult && id !== undefined) {
    const result: JsonObject = {
      ...(era === 'modern' && { resultType: 'complete' }),
      content: [{ type: 'text', text: fault.message }],
      isError: true,
      _meta: { [OUR_META]: told },
    };
    return `${head},"result":${JSON.stringify(result)}}`;
  }
  const ours = fault instanceof RpcFault ? fault : undefined;
  const more: Json | undefined = ours?.data;
  const error: JsonObject = {
    code: ours?.rpc ?? (fault.code === 'TG_UPSTREAM_UNREADABLE' ? RPC.internal : ourCode(fault.status)),
    message: fault.message,
    data: { ...told, ...(isObject(more) && more) },
  };
  return `${head},"error":${JSON.stringify(error)}}`;
}
