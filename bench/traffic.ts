const words = (n: number, seed: number): string =>
  Array.from({ length: n }, (_, i) => WORDS[(i * 7 + seed * 13 + ((i * i) % 11)) % WORDS.length]).join(' ');
const WORDS =
  'the release notes of service orders say that invoices are grouped by region and a retry keeps its number while old rows move to cold storage after ninety days'.split(
    ' ',
  );

const TOOL = {
  type: 'function',
  function: {
    name: 'search_notes',
    description: 'Searches the notes of a team',
    parameters: { type: 'object', properties: { query: { type: 'string' }, limit: { type: 'integer' } } },
  },
};

/** How many agents and runs take part: a gate sees many at once. */
const AGENTS = 8;
const RUNS = 64;

export interface BenchCall {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Chat completions of about 1 KB, all different, by several agents in many runs. */
export function calls(stream: boolean): BenchCall[] {
  return Array.from({ length: RUNS }, (_, i) => ({
    headers: {
      'content-type': 'application/json',
      authorization: 'Bearer sk-bench-0000',
      'user-agent': 'OpenAI/JS 7.57.0',
      'x-tollgate-run': `bench-run-${i}`,
      'x-tollgate-agent': `agent-${i % AGENTS}`,
    },
    body: JSON.stringify({
      model: 'gpt-4o-mini',
      messages: [
        { role: 'system', content: `You are helper ${i % AGENTS}. ${words(40, i)}` },
        { role: 'user', content: `Question ${i}: ${words(60, i + 1)}?` },
      ],
      max_tokens: 400,
      temperature: 0.2,
      tools: [TOOL],
      ...(stream && { stream: true, stream_options: { include_usage: true } }),
    }),
  }));
}

const USAGE = { prompt_tokens: 180, completion_tokens: 90, total_tokens: 270 };

/** The one answer of the simulated provider, about 1 KB. */
export const ANSWER = JSON.stringify({
  id: 'chatcmpl-bench',
  object: 'chat.completion',
  created: 1_760_000_000,
  model: 'gpt-4o-mini-2024-07-18',
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: words(110, 3), refusal: null, annotations: [] },
      logprobs: null,
      finish_reason: 'stop',
    },
  ],
  usage: {
    ...USAGE,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
  },
  service_tier: 'default',
  system_fingerprint: 'fp_bench',
});

const chunk = (choices: readonly unknown[], more: object = {}): string =>
  `data: ${JSON.stringify({ id: 'chatcmpl-bench', object: 'chat.completion.chunk', created: 1_760_000_000, model: 'gpt-4o-mini-2024-07-18', system_fingerprint: 'fp_bench', choices, ...more })}\n\n`;

/** The same answer as a stream: one server-sent event for each entry. */
export const EVENTS: readonly string[] = [
  chunk([{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }], { usage: null }),
  ...words(40, 3)
    .split(' ')
    .map((word) => chunk([{ index: 0, delta: { content: ` ${word}` }, finish_reason: null }], { usage: null })),
  chunk([{ index: 0, delta: {}, finish_reason: 'stop' }], { usage: null }),
  chunk([], { usage: USAGE }),
  'data: [DONE]\n\n',
];
