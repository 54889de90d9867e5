import { isObject, type Json, member } from '../../domain/json.ts';
import { spanOf } from '../../domain/json-text.ts';
import { childPointer } from '../../domain/pointer.ts';
import { RPC, RpcFault } from '../../domain/rpc-fault.ts';
import type { Headers } from '../../ports/dialect.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';
import { onlyHeader } from './era.ts';
import { decodeHeader, encodeHeader } from './header-value.ts';

/** Which member of `params` the header `Mcp-Name` repeats, by method. */
const NAME_SOURCE: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
]);

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const DECIMAL = /^-?[0-9]+(?:\.[0-9]+)?$/;

/** One argument that a header repeats: `x-mcp-header` on a primitive property, reached through `properties` alone. */
interface Mirrored {
  readonly header: string;
  readonly path: readonly string[];
  readonly numeric: boolean;
}

function mirrored(schema: Json | undefined, path: readonly string[] = [], found: Mirrored[] = []): Mirrored[] {
  const properties = member(schema, 'properties');
  if (!isObject(properties) || path.length > 16) return found;
  for (const [name, inner] of Object.entries(properties)) {
    const header = member(inner, 'x-mcp-header');
    const type = member(inner, 'type');
    const at = [...path, name];
    if (typeof header === 'string' && TOKEN.test(header))
      found.push({
        header: `mcp-param-${header.toLowerCase()}`,
        path: at,
        numeric: type === 'integer' || type === 'number',
      });
    mirrored(inner, at, found);
  }
  return found;
}

const mismatch = (message: string): RpcFault => new RpcFault(RPC.headerMismatch, message);

const nameOf = (message: RpcMessage): string | undefined => {
  const source = NAME_SOURCE.get(message.method);
  const value = source === undefined ? undefined : member(message.doc.value['params'], source);
  return typeof value === 'string' ? value : undefined;
};

function decoded(headers: Headers, name: string): string | undefined {
  const raw = onlyHeader(headers, name);
  if (raw === undefined) return undefined;
  const text = decodeHeader(raw);
  if (text === undefined) throw mismatch(`header \`${name}\` is not valid base64 of UTF-8 text`);
  return text;
}

/** Checks the headers that repeat the body (SEP-2243). Throws an RpcFault (-32020). */
export function checkHeaders(message: RpcMessage, headers: Headers, inputSchema: Json | undefined): void {
  const method = onlyHeader(headers, 'mcp-method');
  if (method === undefined && message.kind === 'request')
    throw mismatch('header `mcp-method` is missing; it repeats `method`');
  if (method !== undefined && method !== message.method)
    throw mismatch(`header \`mcp-method: ${method}\` and the body's \`${message.method}\` differ`);
  const name = nameOf(message);
  const told = decoded(headers, 'mcp-name');
  if (name !== undefined && told === undefined && message.kind === 'request')
    throw mismatch('header `mcp-name` is missing; it repeats what the body names');
  if (name !== undefined && told !== undefined && told !== name)
    throw mismatch('header `mcp-name` and the body differ');
  for (const place of mirrored(inputSchema)) checkParam(message, headers, place);
}

function checkParam(message: RpcMessage, headers: Headers, { header, path, numeric }: Mirrored): void {
  const said = textAt(message, path);
  if (said === undefined) return;
  const told = decoded(headers, header);
  if (told === undefined) throw mismatch(`header \`${header}\` is missing; it repeats argument \`${path.join('.')}\``);
  const same = told === said || (numeric && DECIMAL.test(told) && DECIMAL.test(said) && sameNumber(told, said));
  if (!same) throw mismatch(`header \`${header}\` and argument \`${path.join('.')}\` differ`);
}

/** Compares as written beyond 2^53, as numbers below. */
function sameNumber(a: string, b: string): boolean {
  const whole = /^(-?)0*([0-9]+?)(?:\.0+)?$/;
  const [x, y] = [whole.exec(a), whole.exec(b)];
  if (x && y) return x[2] === y[2] && (x[1] === y[1] || x[2] === '0');
  return Number(a) === Number(b);
}

/** A primitive argument as its header spells it; undefined for null, absent and anything else. */
function textAt(message: RpcMessage, path: readonly string[]): string | undefined {
  let value: Json | undefined = member(message.doc.value['params'], 'arguments');
  for (const name of path) value = member(value, name);
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  if (typeof value !== 'number') return undefined;
  const span = spanOf(message.doc.text, path.reduce(childPointer, '/params/arguments'));
  const source = span === undefined ? '' : message.doc.text.slice(span.start, span.end);
  return DECIMAL.test(source) ? source : String(value);
}

/** The header fields an edited message needs; '' where one must go. */
export function headersFor(
  message: RpcMessage,
  headers: Headers,
  inputSchema: Json | undefined,
): Readonly<Record<string, string>> {
  const out: Record<string, string> = {};
  const name = nameOf(message);
  if (name !== undefined) out['mcp-name'] = encodeHeader(name);
  for (const { header, path } of mirrored(inputSchema)) {
    const text = textAt(message, path);
    if (text !== undefined) out[header] = encodeHeader(text);
    else if (headers[header] !== undefined) out[header] = '';
  }
  return out;
}
