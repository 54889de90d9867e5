import { isArray, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import { JsonFault, parseStrict, spanOf } from '../../domain/json-text.ts';
import { RPC, RpcFault } from '../../domain/rpc-fault.ts';
import type { RpcMessage, WireBounds } from '../../ports/mcp-wire.ts';
import { refuseVariants } from './known-names.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads one message strictly: size → UTF-8 → JSON → shape (mcp-plane.md 3). Throws an RpcFault that says what is wrong. */
export function readMessage(bytes: Uint8Array, bounds: WireBounds): RpcMessage {
  if (bytes.length > bounds.bytes)
    throw new RpcFault(RPC.invalidRequest, `the message is larger than ${bounds.bytes} bytes; send less`, {
      code: 'TG_TOO_LARGE',
    });
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (error) {
    throw new RpcFault(RPC.parse, 'the message is not valid UTF-8', { cause: error });
  }
  return readText(text, bounds);
}

/** The same for text that is known to be Unicode. */
export function readText(text: string, bounds: WireBounds): RpcMessage {
  const value = parsed(text, bounds);
  if (isArray(value)) throw malformed('a batch is not accepted; send one message at a time');
  if (!isObject(value)) throw malformed('a message is a JSON object');
  refuseVariants(value);
  if (member(value, 'jsonrpc') !== '2.0') throw malformed('member `jsonrpc` must be "2.0"');
  return shaped(text, value);
}

function parsed(text: string, { depth, nodes }: WireBounds): Json {
  if (text.charCodeAt(0) === 0xfeff) throw new RpcFault(RPC.parse, 'the message begins with a byte order mark');
  let value: Json;
  try {
    ({ value } = parseStrict(text, { depth }));
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    const code = error.message.includes('__proto__') ? RPC.invalidRequest : RPC.parse;
    throw new RpcFault(code, `the message cannot be accepted: ${error.message} (at character ${error.at})`, {
      cause: error,
    });
  }
  // the bytes were valid UTF-8, so only an escape can have made half a character
  const half = /\\u[dD][89a-fA-F]/.test(text);
  // a node takes two characters at least
  if ((half || text.length > nodes * 2) && count(value, half) > nodes)
    throw malformed(`the message has more than ${nodes} values; send less`);
  return value;
}

/** How many values there are; looks at their texts too where `half` says so. */
function count(value: Json, half: boolean): number {
  if (typeof value === 'string') {
    if (half) whole(value);
    return 1;
  }
  let sum = 1;
  if (isArray(value)) for (const item of value) sum += count(item, half);
  else if (isObject(value))
    for (const name of Object.keys(value)) {
      if (half) whole(name);
      sum += count(value[name] as Json, half);
    }
  return sum;
}

/** RFC 8785 cannot hash a lone surrogate. */
function whole(text: string): void {
  if (!text.isWellFormed())
    throw new RpcFault(RPC.parse, 'a text holds half a character (a lone `\\ud…` escape); send whole ones');
}

const malformed = (message: string): RpcFault => new RpcFault(RPC.invalidRequest, message);

const WHOLE_NUMBER = /^-?(?:0|[1-9][0-9]*)$/;

function shaped(text: string, value: JsonObject): RpcMessage {
  const has = (name: string): boolean => Object.hasOwn(value, name);
  const doc = { text, value };
  const params = value['params'];
  if (has('params') && !isObject(params)) throw malformed('member `params` must be an object');
  const answers = has('result') || has('error');
  const id = has('id') ? idOf(text, value['id'] as Json, answers && has('error')) : undefined;
  if (answers) {
    if (has('result') && has('error')) throw malformed('a response has `result` or `error`, not both');
    if (has('method')) throw malformed('a message with `method` is no response');
    if (has('result') && (id === undefined || !isObject(value['result'])))
      throw malformed('a result is an object and answers an `id`');
    if (has('error') && !isError(value['error'])) throw malformed('an `error` has a whole `code` and a `message`');
    return { kind: 'response', id, method: '', doc };
  }
  const method = value['method'];
  if (typeof method !== 'string' || method === '') throw malformed('member `method` is missing');
  return { kind: has('id') ? 'request' : 'notification', id, method, doc };
}

function isError(error: Json | undefined): boolean {
  const code = member(error, 'code');
  return Number.isInteger(code) && typeof member(error, 'message') === 'string';
}

/** An error may answer a request whose id could not be read: there, and only there, null is none. */
function idOf(text: string, id: Json, isErrorAnswer: boolean): string | undefined {
  if (id === null && isErrorAnswer) return undefined;
  const span = spanOf(text, '/id');
  const source = span === undefined ? '' : text.slice(span.start, span.end);
  // one text may be spelled in many ways; its canonical spelling is its identity
  if (typeof id === 'string') return JSON.stringify(id);
  if (typeof id !== 'number' || !WHOLE_NUMBER.test(source))
    throw malformed('member `id` must be a string or a whole number');
  return source === '-0' ? '0' : source;
}
