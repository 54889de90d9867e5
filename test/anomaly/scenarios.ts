import { Fault } from '../../gateway/domain/fault.ts';
import type { Limits } from '../../gateway/pipeline/gateway.ts';
import type { UpstreamReply } from '../../gateway/ports/upstream.ts';
import { completion, message } from '../support/upstream.ts';

export type Tongue = 'openai' | 'anthropic';

/** One call and what the world does around it. */
export interface Scenario {
  readonly name: string;
  readonly tongue: Tongue;
  readonly stream: boolean;
  readonly status?: number;
  /** pieces of the upstream's answer */
  readonly pieces: readonly string[];
  /** the upstream's connection breaks after so many pieces */
  readonly breaksAfter?: number;
  readonly limit?: bigint;
  /** the client leaves: before the upstream answers, or once it got its first bytes */
  readonly leaves?: 'waiting' | 'reading';
  readonly limits?: Partial<Limits>;
}

export const DENIED = 'rm -rf /everything';
const PROMPT = 'please tidy the workspace up';

export const URLS: Readonly<Record<Tongue, string>> = {
  openai: '/run/r1/openai/v1/chat/completions',
  anthropic: '/run/r1/anthropic/v1/messages',
};

export function bodyOf({ tongue, stream }: Scenario): string {
  const common = { messages: [{ role: 'user', content: PROMPT }], ...(stream && { stream: true }) };
  return JSON.stringify(
    tongue === 'openai'
      ? { model: 'gpt-4o', max_completion_tokens: 200, ...common }
      : { model: 'claude-sonnet-4-5', max_tokens: 200, ...common },
  );
}

const bash = (id: string, command: string) => ({
  id,
  type: 'function',
  function: { name: 'bash', arguments: JSON.stringify({ command }) },
});
const toolUse = (id: string, command: string) => ({ type: 'tool_use', id, name: 'bash', input: { command } });

const unary = (tongue: Tongue, tools: boolean): string[] => {
  if (tongue === 'openai')
    return [
      JSON.stringify(
        completion(
          tools ? { tool_calls: [bash('a', DENIED), bash('b', 'ls')] } : { content: 'done' },
          undefined,
          'gpt-4o',
        ),
      ),
    ];
  return [
    JSON.stringify(message(tools ? [toolUse('a', DENIED), toolUse('b', 'ls')] : [{ type: 'text', text: 'done' }])),
  ];
};

export function chatStream(texts: readonly string[], commands: readonly string[]): string[] {
  const base = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o' };
  const chunk = (delta: unknown, finish: string | null = null): string =>
    `data: ${JSON.stringify({ ...base, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
  return [
    chunk({ role: 'assistant', content: '' }),
    ...texts.map((content) => chunk({ content })),
    ...commands.flatMap((command, index) => {
      const args = JSON.stringify({ command });
      return [
        chunk({
          tool_calls: [
            { index, id: `t${index}`, type: 'function', function: { name: 'bash', arguments: args.slice(0, 9) } },
          ],
        }),
        chunk({ tool_calls: [{ index, function: { arguments: args.slice(9) } }] }),
      ];
    }),
    chunk({}, commands.length > 0 ? 'tool_calls' : 'stop'),
    `data: ${JSON.stringify({ ...base, choices: [], usage: { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 } })}\n\n`,
    'data: [DONE]\n\n',
  ];
}

export function messageStream(texts: readonly string[], commands: readonly string[]): string[] {
  const blocks = [
    { content_block: { type: 'text', text: '' }, deltas: texts.map((text) => ({ type: 'text_delta', text })) },
    ...commands.map((command, i) => {
      const json = JSON.stringify({ command });
      return {
        content_block: { type: 'tool_use', id: `t${i}`, name: 'bash', input: {} },
        deltas: [json.slice(0, 9), json.slice(9)].map((partial_json) => ({ type: 'input_json_delta', partial_json })),
      };
    }),
  ];
  const events = [
    { type: 'message_start', message: { ...message([], { input_tokens: 12, output_tokens: 1 }), stop_reason: null } },
    ...blocks.flatMap(({ content_block, deltas }, index) => [
      { type: 'content_block_start', index, content_block },
      ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
      { type: 'content_block_stop', index },
    ]),
    {
      type: 'message_delta',
      delta: { stop_reason: commands.length > 0 ? 'tool_use' : 'end_turn', stop_sequence: null },
      usage: { output_tokens: 7 },
    },
    { type: 'message_stop' },
  ];
  return events.map((e) => `event: ${e.type}\ndata: ${JSON.stringify(e)}\n\n`);
}

export const streamOf = (tongue: Tongue, texts: readonly string[], commands: readonly string[]): string[] =>
  (tongue === 'openai' ? chatStream : messageStream)(texts, commands);

const refusal = (tongue: Tongue): string[] => [
  JSON.stringify(
    tongue === 'openai'
      ? { error: { message: 'Rate limit reached', type: 'tokens', param: null, code: 'rate_limit_exceeded' } }
      : { type: 'error', error: { type: 'rate_limit_error', message: 'slow down' } },
  ),
];

function scenariosOf(tongue: Tongue): Scenario[] {
  const whole = { tongue, stream: false };
  const pieces = streamOf(tongue, ['On ', 'it. '], ['ls', DENIED]);
  const streamed = { tongue, stream: true, pieces };
  return [
    { ...whole, name: 'a unary answer', pieces: unary(tongue, false) },
    { ...whole, name: 'a unary answer with a denied tool call', pieces: unary(tongue, true) },
    { ...streamed, name: 'a stream with text, an allowed and a denied tool call' },
    { ...whole, name: 'a budget denial', pieces: [], limit: 1000n },
    { ...whole, name: 'an upstream refusal', status: 429, pieces: refusal(tongue) },
    { ...whole, name: 'an upstream refusal that breaks', status: 529, pieces: ['{"error":', '{}}'], breaksAfter: 1 },
    { ...streamed, name: 'a stream that breaks in its text', breaksAfter: 3 },
    { ...streamed, name: 'a stream that breaks in a tool call', breaksAfter: tongue === 'openai' ? 4 : 7 },
    { ...whole, name: 'an answer that breaks', pieces: ['{"id":', '1}'], breaksAfter: 1 },
    { ...streamed, name: 'a client that leaves a stream, drained', leaves: 'reading' },
    { ...streamed, name: 'a client that leaves a stream, cancelled', leaves: 'reading', limits: { onAbort: 'cancel' } },
    { ...whole, name: 'a client that leaves while waiting, drained', pieces: unary(tongue, false), leaves: 'waiting' },
    {
      ...whole,
      name: 'a client that leaves while waiting, cancelled',
      pieces: unary(tongue, false),
      leaves: 'waiting',
      limits: { onAbort: 'cancel' },
    },
  ];
}

export const SCENARIOS: readonly Scenario[] = [...scenariosOf('openai'), ...scenariosOf('anthropic')];

/** The upstream's answer as the port hands it over: it ends, breaks or is aborted. */
export function answerOf({ pieces, status = 200, stream, breaksAfter }: Scenario, signal: AbortSignal): UpstreamReply {
  async function* body(): AsyncGenerator<Uint8Array> {
    for (const [i, piece] of pieces.entries()) {
      if (i === breaksAfter) throw new Fault('TG_UPSTREAM_BROKE', 'the upstream broke off');
      await undefined;
      signal.throwIfAborted();
      yield Buffer.from(piece);
    }
  }
  return {
    status,
    headers: { 'content-type': stream && status === 200 ? 'text/event-stream' : 'application/json' },
    body: body(),
  };
}
