import { isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import { parseStrict, spanOf } from '../../domain/json-text.ts';

/** One JSON-RPC message with the exact text it came as. */
export interface RpcMessage {
  readonly kind: 'request' | 'notification' | 'response';
  readonly text: string;
  readonly value: JsonObject;
  /** the id as JSON text, so that one beyond 2^53 stays itself; undefined on a notification, `null` on an error about no request */
  readonly id: string | undefined;
  readonly method: string | undefined;
}

/** Deeper nesting than the configuration can allow is refused in the corridor. */
const DEPTH = 512;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A string or number as JSON text that is the same for the same value; integers beyond 2^53 keep their source text. */
export function scalarText(text: string, at: string, value: Json | undefined): string | undefined {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'number') return undefined;
  if (Number.isSafeInteger(value)) return String(value);
  const span = spanOf(text, at);
  return span && text.slice(span.start, span.end);
}

/** Throws where the bytes are not one JSON-RPC message that everybody reads alike. The error says what is wrong, never what was sent. */
export function readMessage(bytes: Uint8Array): RpcMessage {
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    throw new SyntaxError('it is not UTF-8');
  }
  const { value } = parseStrict(text, { depth: DEPTH });
  if (!isObject(value)) throw new SyntaxError('it is not one JSON object');
  if (value['jsonrpc'] !== '2.0') throw new SyntaxError('`jsonrpc` is not "2.0"');
  const { method } = value;
  const id = 'id' in value ? (scalarText(text, '/id', value['id']) ?? 'null') : undefined;
  if (typeof method === 'string') {
    if (id === 'null') throw new SyntaxError('`id` is neither a string nor a number');
    return { kind: id === undefined ? 'notification' : 'request', text, value, id, method };
  }
  if (method !== undefined || 'result' in value === 'error' in value || id === undefined)
    throw new SyntaxError('it is neither a request nor a notification nor a response');
  return { kind: 'response', text, value, id, method: undefined };
}

/** The message as one line: JSON has newlines between its tokens only, where a space is the same. */
export function lineOf(text: string): Buffer {
  return Buffer.from(`${/[\r\n]/.test(text) ? text.replace(/[\r\n]/g, ' ') : text}\n`, 'utf8');
}

/** A JSON-RPC error answer; `id` is JSON text. */
export const errorText = (id: string, code: number, message: string, fault?: string): string =>
  `{"jsonrpc":"2.0","id":${id},"error":${JSON.stringify({ code, message, ...(fault !== undefined && { data: { code: fault } }) })}}`;

/** The code of a JSON-RPC error answer; undefined: it is none. */
export function errorCode(message: RpcMessage): number | undefined {
  const code = member(message.value['error'], 'code');
  return typeof code === 'number' ? code : undefined;
}
