import type { Saying } from '../../ports/dialect.ts';
import { errorBody } from '../openai-chat/saying.ts';

const encoder = new TextEncoder();

/**
 * The error event of a stream: the members of the API's own (`type`, `code`, `message`, `param`) and the error object that SDKs
 * raise as an APIError. Without a sequence number, which a stream that broke off has none of.
 */
export function errorEvents(saying: Saying): Uint8Array {
  const { error } = JSON.parse(errorBody(saying)) as { error: Record<string, unknown> };
  const data = { type: 'error', code: saying.code, message: saying.message, param: null, error };
  return encoder.encode(`event: error\ndata: ${JSON.stringify(data)}\n\n`);
}
