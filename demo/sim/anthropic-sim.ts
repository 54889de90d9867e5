import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { capOf, isBody, Refusal, readBody, textOf } from './read-body.ts';
import { type Body, type Served, type SimOptions, serve, type Turn, wordsOf } from './script.ts';
import { type Seen, type Sim, sendJson, startUpstream, writePaced } from './simulated-upstream.ts';

/**
 * A simulated Anthropic: POST /v1/messages, unary and streamed, and GET /v1/models, as the API reference describes them
 * (https://platform.claude.com/docs/en/api/messages, …/build-with-claude/streaming). 401 without `x-api-key` or a bearer token, 400
 * for a body or a conversation that the API refuses.
 */
export async function startAnthropicSim(options: SimOptions): Promise<Sim> {
  let calls = 0;
  return startUpstream(async (seen, response) => {
    try {
      const { headers } = seen;
      if (!headers['x-api-key'] && !/^Bearer \S/.test(headers.authorization ?? ''))
        throw new Refusal(401, 'x-api-key header is required');
      if (headers['anthropic-version'] === undefined) throw new Refusal(400, 'anthropic-version: header is required');
      if (route(seen) === 'GET /v1/models') return sendJson(response, 200, MODELS);
      if (route(seen) !== 'POST /v1/messages') throw new Refusal(404, 'Not found');
      calls += 1;
      await message(seen, response, options, calls);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      sendJson(response, error.status, errorBody(error.status, error.message));
    }
  });
}

const route = ({ method, path }: Seen): string => `${method} ${path.split('?')[0]}`;

const MODELS = {
  data: ['claude-sonnet-5-5', 'claude-haiku-5-5'].map((id) => ({
    type: 'model',
    id,
    display_name: id,
    created_at: '2026-09-28T00:00:00Z',
  })),
  has_more: false,
  first_id: 'claude-sonnet-5-5',
  last_id: 'claude-haiku-5-5',
};

/** https://platform.claude.com/docs/en/api/errors */
const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
  529: 'overloaded_error',
};

const errorBody = (status: number, message: string) => ({
  type: 'error',
  error: { type: ERROR_TYPES[status] ?? 'api_error', message },
  request_id: 'req_sim',
});

async function message(seen: Seen, response: ServerResponse, options: SimOptions, call: number): Promise<void> {
  const { body, messages } = readBody(seen.body);
  const cap = capOf(body, 'max_tokens');
  if (cap === undefined) throw new Refusal(400, 'max_tokens: Field required');
  checkConversation(messages);
  const answer = options.script(body, turnOf(body, messages, call));
  if (answer.delayMs !== undefined) await wait(answer.delayMs);
  if (answer.error) {
    return sendJson(response, answer.error.status, errorBody(answer.error.status, answer.error.message));
  }
  const served = serve(answer, body, cap, (n) => `toolu_sim${call}n${n}`);
  const head = { id: `msg_sim${call}`, type: 'message', role: 'assistant', model: body['model'] };
  const ids = { 'request-id': `req_sim${call}` };
  if (body['stream'] !== true) {
    const end = { stop_reason: stopOf(served), stop_sequence: null, usage: usageOf(served, served.output) };
    return sendJson(response, 200, { ...head, content: blocksOf(served), ...end }, ids);
  }
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', ...ids });
  if (await writePaced(response, events(head, served), options)) response.end();
}

function blocksOf({ text, calls }: Served) {
  const uses = calls.map(({ id, name, args }) => ({ type: 'tool_use' as const, id, name, input: args }));
  return [...(text === '' ? [] : [{ type: 'text' as const, text }]), ...uses];
}

const encoder = new TextEncoder();
const event = (data: { readonly type: string }): Uint8Array =>
  encoder.encode(`event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`);

function* events(head: object, served: Served): Generator<Uint8Array> {
  const opening = { content: [], stop_reason: null, stop_sequence: null, usage: usageOf(served, 1) };
  yield event({ type: 'message_start', message: { ...head, ...opening } } as { type: string });
  for (const [index, block] of blocksOf(served).entries()) {
    const empty = block.type === 'text' ? { ...block, text: '' } : { ...block, input: {} };
    yield event({ type: 'content_block_start', index, content_block: empty } as { type: string });
    if (index === 0) yield event({ type: 'ping' });
    for (const delta of deltasOf(block)) yield event({ type: 'content_block_delta', index, delta } as { type: string });
    yield event({ type: 'content_block_stop', index } as { type: string });
  }
  const delta = { stop_reason: stopOf(served), stop_sequence: null };
  yield event({ type: 'message_delta', delta, usage: { output_tokens: served.output } } as { type: string });
  yield event({ type: 'message_stop' });
}

function* deltasOf(block: ReturnType<typeof blocksOf>[number]): Generator<object> {
  if (block.type === 'text') {
    for (const text of wordsOf(block.text)) yield { type: 'text_delta', text };
    return;
  }
  yield { type: 'input_json_delta', partial_json: '' };
  const json = JSON.stringify(block.input);
  for (let at = 0; at < json.length; at += 8) yield { type: 'input_json_delta', partial_json: json.slice(at, at + 8) };
}

const stopOf = ({ cut, calls }: Served): string => (cut ? 'max_tokens' : calls.length > 0 ? 'tool_use' : 'end_turn');

/** Cache counts stand beside `input_tokens` on this wire. */
const usageOf = ({ input, cacheRead, cacheWrite }: Served, output: number) => ({
  input_tokens: input,
  cache_creation_input_tokens: cacheWrite,
  cache_read_input_tokens: cacheRead,
  cache_creation: { ephemeral_5m_input_tokens: cacheWrite, ephemeral_1h_input_tokens: 0 },
  output_tokens: output,
  service_tier: 'standard',
  inference_geo: 'global',
});

function idsIn(message: Body | undefined, type: string, field: string): readonly string[] {
  const content = message?.['content'];
  if (!Array.isArray(content)) return [];
  return content.filter((block) => isBody(block) && block['type'] === type).map((block: Body) => String(block[field]));
}

/** A `tool_use` is answered in the very next message, and nothing else is answered there. */
function checkConversation(messages: readonly Body[]): void {
  if (messages[0]?.['role'] !== 'user') throw new Refusal(400, 'messages: first message must use the "user" role');
  for (const [i, message] of messages.entries()) {
    const { role, content } = message;
    if (role !== 'user' && role !== 'assistant')
      throw new Refusal(400, `messages.${i}.role: Input should be 'user' or 'assistant'`);
    if (content === '' || content === undefined || (Array.isArray(content) && content.length === 0 && role === 'user'))
      throw new Refusal(400, `messages.${i}: all messages must have non-empty content`);
    const asked = role === 'user' ? idsIn(messages[i - 1], 'tool_use', 'id') : [];
    const answered = idsIn(message, 'tool_result', 'tool_use_id');
    const missing = asked.filter((id) => !answered.includes(id));
    const foreign = answered.filter((id) => !asked.includes(id));
    if (missing.length > 0)
      throw new Refusal(400, `messages.${i}: \`tool_use\` ids without \`tool_result\` blocks: ${missing.join(', ')}`);
    if (foreign.length > 0)
      throw new Refusal(400, `messages.${i}: unexpected \`tool_use_id\` in \`tool_result\`: ${foreign.join(', ')}`);
  }
}

function turnOf(body: Body, messages: readonly Body[], call: number): Turn {
  const newest = messages.findLast(({ role }) => role === 'user')?.['content'];
  const blocks = Array.isArray(newest) ? newest.filter(isBody) : [];
  const isResult = (block: Body): boolean => block['type'] === 'tool_result';
  const tools = Array.isArray(body['tools']) ? body['tools'].filter(isBody) : [];
  return {
    call,
    turn: messages.filter(({ role }) => role === 'assistant').length,
    input: typeof newest === 'string' ? newest : textOf(blocks.filter((block) => !isResult(block))),
    results: blocks.filter(isResult).map((block) => textOf(block['content'])),
    tools: tools.map((tool) => String(tool['name'])),
  };
}
