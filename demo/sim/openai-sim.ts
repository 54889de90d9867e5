import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { capOf, isBody, Refusal, readBody, textOf } from './read-body.ts';
import { type Body, type Served, type SimOptions, serve, type Turn, wordsOf } from './script.ts';
import { type Seen, type Sim, sendJson, startUpstream, writePaced } from './simulated-upstream.ts';

/**
 * A simulated OpenAI: POST /v1/chat/completions, unary and streamed, and GET /v1/models, as the API reference describes them
 * (https://platform.openai.com/docs/api-reference/chat). One choice per answer. 401 without a bearer token, 400 for a body or a
 * conversation that the API refuses.
 */
export async function startOpenAiSim(options: SimOptions): Promise<Sim> {
  let calls = 0;
  return startUpstream(async (seen, response) => {
    try {
      if (!/^Bearer \S/.test(seen.headers.authorization ?? ''))
        throw new Refusal(401, "You didn't provide an API key.");
      if (route(seen) === 'GET /v1/models') return sendJson(response, 200, MODELS);
      if (route(seen) !== 'POST /v1/chat/completions') throw new Refusal(404, `Unknown request URL: ${route(seen)}.`);
      calls += 1;
      await complete(seen, response, options, calls);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      sendJson(response, error.status, errorBody(error.status, error.message, error.param));
    }
  });
}

const route = ({ method, path }: Seen): string => `${method} ${path.split('?')[0]}`;

const MODELS = {
  object: 'list',
  data: ['gpt-6-sol', 'gpt-6-luna'].map((id) => ({ id, object: 'model', created: 1_790_000_000, owned_by: 'openai' })),
};

const errorBody = (status: number, message: string, param: string | null = null) => ({
  error: {
    message,
    type: status >= 500 ? 'server_error' : status === 429 ? 'rate_limit_error' : 'invalid_request_error',
    param,
    code: status === 401 ? 'invalid_api_key' : null,
  },
});

async function complete(seen: Seen, response: ServerResponse, options: SimOptions, call: number): Promise<void> {
  const { body, messages } = readBody(seen.body);
  checkConversation(messages);
  if (body['n'] !== undefined && body['n'] !== null && body['n'] !== 1)
    throw new Refusal(400, 'this simulated provider serves one choice', 'n');
  const cap = capOf(body, 'max_completion_tokens', 'max_tokens');
  const answer = options.script(body, turnOf(body, messages, call));
  if (answer.delayMs !== undefined) await wait(answer.delayMs);
  if (answer.error) {
    return sendJson(response, answer.error.status, errorBody(answer.error.status, answer.error.message));
  }
  const served = serve(answer, body, cap, (n) => `call_sim${call}n${n}`);
  const head = {
    id: `chatcmpl-sim${call}`,
    created: Math.floor(Date.now() / 1000),
    model: body['model'],
    service_tier: 'default',
    system_fingerprint: null,
  };
  if (body['stream'] !== true) return sendJson(response, 200, completion(head, served), { 'x-request-id': head.id });
  const streamOptions = body['stream_options'];
  const withUsage = isBody(streamOptions) && streamOptions['include_usage'] === true;
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'x-request-id': head.id });
  if (await writePaced(response, events(head, served, withUsage), options)) response.end();
}

function completion(head: object, served: Served) {
  const toolCalls = served.calls.map((call) => ({ id: call.id, type: 'function', function: functionOf(call) }));
  const message = {
    role: 'assistant',
    content: served.text === '' && toolCalls.length > 0 ? null : served.text,
    refusal: null,
    annotations: [],
    ...(toolCalls.length > 0 && { tool_calls: toolCalls }),
  };
  const choice = { index: 0, message, logprobs: null, finish_reason: finishOf(served) };
  return { ...head, object: 'chat.completion', choices: [choice], usage: usageOf(served) };
}

const encoder = new TextEncoder();
const event = (data: unknown): Uint8Array => encoder.encode(`data: ${JSON.stringify(data)}\n\n`);

/** The chunks of a streamed answer; with usage each carries `usage: null` and one more, without choices, the counts. */
function* events(head: object, served: Served, withUsage: boolean): Generator<Uint8Array> {
  const base = { ...head, object: 'chat.completion.chunk' };
  const chunk = (delta: object, finish: string | null = null): Uint8Array => {
    const choices = [{ index: 0, delta, logprobs: null, finish_reason: finish }];
    return event({ ...base, choices, ...(withUsage && { usage: null }) });
  };
  const hasText = served.text !== '' || served.calls.length === 0;
  yield chunk({ role: 'assistant', content: hasText ? '' : null, refusal: null });
  for (const content of wordsOf(served.text)) yield chunk({ content });
  for (const [index, call] of served.calls.entries()) {
    const { name, arguments: args } = functionOf(call);
    yield chunk({ tool_calls: [{ index, id: call.id, type: 'function', function: { name, arguments: '' } }] });
    for (let at = 0; at < args.length; at += 6) {
      yield chunk({ tool_calls: [{ index, function: { arguments: args.slice(at, at + 6) } }] });
    }
  }
  yield chunk({}, finishOf(served));
  if (withUsage) yield event({ ...base, choices: [], usage: usageOf(served) });
  yield encoder.encode('data: [DONE]\n\n');
}

const functionOf = ({ name, args }: Served['calls'][number]) => ({ name, arguments: JSON.stringify(args) });

const finishOf = ({ cut, calls }: Served): string => (cut ? 'length' : calls.length > 0 ? 'tool_calls' : 'stop');

/** Cached and written tokens are inside the prompt count on this wire. */
const usageOf = ({ input, output, cacheRead, cacheWrite }: Served) => ({
  prompt_tokens: input + cacheRead + cacheWrite,
  completion_tokens: output,
  total_tokens: input + cacheRead + cacheWrite + output,
  prompt_tokens_details: { cached_tokens: cacheRead, cache_write_tokens: cacheWrite, audio_tokens: 0 },
  completion_tokens_details: {
    reasoning_tokens: 0,
    audio_tokens: 0,
    accepted_prediction_tokens: 0,
    rejected_prediction_tokens: 0,
  },
});

function toolCallIds(message: Body): readonly string[] {
  const calls = message['tool_calls'];
  return Array.isArray(calls) ? calls.filter(isBody).map((call) => String(call['id'])) : [];
}

/** Every proposed call is answered at once and nothing else is: https://platform.openai.com/docs/guides/function-calling */
function checkConversation(messages: readonly Body[]): void {
  let open: readonly string[] = [];
  for (const [i, message] of messages.entries()) {
    const at = `messages[${i}]`;
    const { role } = message;
    if (!['system', 'developer', 'user', 'assistant', 'tool'].includes(role as string))
      throw new Refusal(400, `Invalid value: '${String(role)}'.`, `${at}.role`);
    if (role === 'tool') {
      const id = message['tool_call_id'];
      if (typeof id !== 'string' || !open.includes(id))
        throw new Refusal(400, "messages with role 'tool' must answer a preceding message with 'tool_calls'.", at);
      open = open.filter((one) => one !== id);
      continue;
    }
    if (open.length > 0) throw new Refusal(400, `tool_call_ids did not have response messages: ${open.join(', ')}`, at);
    open = role === 'assistant' ? toolCallIds(message) : [];
  }
  if (open.length > 0) throw new Refusal(400, `tool_call_ids did not have response messages: ${open.join(', ')}`);
}

function turnOf(body: Body, messages: readonly Body[], call: number): Turn {
  const since = messages.slice(messages.findLastIndex(({ role }) => role === 'assistant') + 1);
  const user = messages.findLast(({ role }) => role === 'user');
  const tools = Array.isArray(body['tools']) ? body['tools'].filter(isBody) : [];
  return {
    call,
    turn: messages.filter(({ role }) => role === 'assistant').length,
    input: textOf(user?.['content']),
    results: since.filter(({ role }) => role === 'tool').map(({ content }) => textOf(content)),
    tools: tools.map((tool) => (isBody(tool['function']) ? String(tool['function']['name']) : '')),
  };
}
