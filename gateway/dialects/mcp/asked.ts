import type { TextPart } from '../../domain/action.ts';
import { isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import type { JudgedPart, RpcMessage } from '../../ports/mcp-wire.ts';
import { frozenParts, textParts } from './text-parts.ts';

/** Envelope members of `_meta`: the protocol's own, and what tracing and progress need. Everything else in it is a vendor's. */
const OWN_META = /^(?:io\.modelcontextprotocol\/.*|progressToken|traceparent|tracestate|baggage)$/;

/** Members of `params` that are no content. */
const ENVELOPE = new Set(['_meta', 'requestState', 'inputResponses', 'task']);

/** Methods judged as tool calls, by what their target is (mcp-plane.md 3). */
const JUDGED = new Set([
  'resources/read',
  'prompts/get',
  'completion/complete',
  'resources/subscribe',
  'subscriptions/listen',
]);

/** Vendor members of `_meta`, as texts that are read and never edited. */
function metaParts(params: Json | undefined): TextPart[] {
  const meta = member(params, '_meta');
  if (!isObject(meta)) return [];
  return Object.keys(meta)
    .filter((name) => !OWN_META.test(name))
    .flatMap((name) =>
      frozenParts(
        meta[name] as Json,
        `/~0meta/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`,
        '`_meta` of a vendor',
      ),
    );
}

/** What a client's request, notification or answer brings to be judged; first what decides about it. */
export function asked(message: RpcMessage): JudgedPart[] {
  const params = message.doc.value['params'];
  if (message.kind === 'response') return answerToServer(message);
  const found: JudgedPart[] = [];
  if (message.method === 'tools/call') found.push(toolCall(params));
  else if (JUDGED.has(message.method)) found.push(methodCall(message.method, params));
  const inputs = member(params, 'inputResponses');
  if (isObject(inputs))
    found.push({
      point: 'pre_tool_call',
      tool: 'inputResponses',
      base: '/params/inputResponses',
      target: inputs,
      parts: textParts(inputs),
    });
  return found;
}

function toolCall(params: Json | undefined): JudgedPart {
  const name = member(params, 'name');
  const args = member(params, 'arguments');
  return {
    point: 'pre_tool_call',
    tool: typeof name === 'string' ? name : '',
    base: args === undefined ? undefined : '/params/arguments',
    target: args ?? {},
    parts: [...textParts(args ?? {}), ...metaParts(params)],
  };
}

function methodCall(method: string, params: Json | undefined): JudgedPart {
  const content: JsonObject = isObject(params)
    ? Object.fromEntries(Object.entries(params).filter(([name]) => !ENVELOPE.has(name)))
    : {};
  return {
    point: 'pre_tool_call',
    tool: method,
    base: '/params',
    target: content,
    parts: [...textParts(content), ...metaParts(params)],
  };
}

/** An answer to a request of the server: what the user or the model said travels to it. */
function answerToServer(message: RpcMessage): JudgedPart[] {
  const result = message.doc.value['result'];
  const error = message.doc.value['error'];
  const target = result ?? error ?? {};
  const base = result === undefined ? '/error' : '/result';
  return [{ point: 'pre_tool_call', tool: 'inputResponses', base, target, parts: textParts(target) }];
}
