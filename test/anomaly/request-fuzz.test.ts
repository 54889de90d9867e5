import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fakeReply, type Rig, rig } from './rig.ts';

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

const CHAT: Json = {
  model: 'gpt-4o-mini',
  max_completion_tokens: 50,
  stream: false,
  messages: [
    { role: 'system', content: 'be brief' },
    { role: 'user', content: [{ type: 'text', text: 'read <EMAIL_1>' }] },
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'a', type: 'function', function: { name: 'bash', arguments: '{"command":"ls"}' } }],
    },
    { role: 'tool', tool_call_id: 'a', content: 'files' },
  ],
  tools: [{ type: 'function', function: { name: 'bash', parameters: { type: 'object' } } }],
};
const CLAUDE: Json = {
  model: 'claude-sonnet-4-5',
  max_tokens: 50,
  system: [{ type: 'text', text: 'be brief', cache_control: { type: 'ephemeral' } }],
  messages: [
    { role: 'user', content: 'read it' },
    {
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'hm', signature: 'c2ln' },
        { type: 'tool_use', id: 't', name: 'bash', input: { command: 'ls' } },
      ],
    },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: [{ type: 'text', text: 'files' }] }] },
  ],
  tools: [{ name: 'bash', input_schema: { type: 'object' } }],
};

const ANYTHING: fc.Arbitrary<Json> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom<Json>(
      null,
      true,
      false,
      0,
      -1,
      1.5,
      1e308,
      2 ** 53,
      '',
      ' ',
      '\ud800',
      '__proto__',
      '</s>',
      [],
      {},
      [[]],
      [null],
      { type: 'text' },
      { role: 'user' },
    ),
  },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json> },
);

type Path = readonly (string | number)[];
function pathsOf(value: Json, at: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [at];
  const inner = Array.isArray(value)
    ? value.map((v, i) => pathsOf(v as Json, [...at, i]))
    : Object.entries(value).map(([k, v]) => pathsOf(v as Json, [...at, k]));
  return [at, ...inner.flat()];
}

/** The value with one place put, taken away, renamed or doubled. */
function mutated(value: Json, path: Path, how: 'set' | 'drop' | 'rename' | 'double', by: Json): Json {
  const [step, ...rest] = path;
  if (step === undefined) return how === 'set' ? by : value;
  if (Array.isArray(value)) {
    const list = [...(value as Json[])];
    const i = step as number;
    if (i >= list.length) return value;
    if (rest.length > 0) list[i] = mutated(list[i] as Json, rest, how, by);
    else if (how === 'drop') list.splice(i, 1);
    else if (how === 'double') list.splice(i, 0, list[i] as Json);
    else list[i] = by;
    return list;
  }
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return value;
  const entries = Object.entries(value as { [name: string]: Json });
  return Object.fromEntries(
    entries.flatMap(([name, old]): [string, Json][] => {
      if (name !== step) return [[name, old]];
      if (rest.length > 0) return [[name, mutated(old, rest, how, by)]];
      if (how === 'drop') return [];
      return how === 'rename' ? [[typeof by === 'string' ? by : `${name}_`, old]] : [[name, by]];
    }),
  );
}

const mutant = (seed: Json): fc.Arbitrary<string> => {
  const places = pathsOf(seed);
  const change = fc.tuple(
    fc.constantFrom(...places),
    fc.constantFrom('set', 'set', 'drop', 'rename', 'double'),
    ANYTHING,
  );
  const changed = fc
    .array(change, { minLength: 1, maxLength: 4 })
    .map((changes) =>
      JSON.stringify(changes.reduce((body, [path, how, by]) => mutated(body, path, how as 'set', by), seed)),
    );
  // and sometimes the bytes themselves
  return fc.oneof(
    { weight: 5, arbitrary: changed },
    {
      weight: 1,
      arbitrary: fc
        .tuple(changed, fc.nat(), fc.string({ maxLength: 3 }))
        .map(([text, at, by]) => text.slice(0, at % (text.length + 1)) + by + text.slice((at % (text.length + 1)) + 1)),
    },
  );
};

const POLICY = `
policy: tollgate/v1
name: test
default: allow
rules:
  - id: hide
    at: [input, post_tool_call, pre_model_call, post_model_call, output]
    detect: [secrets, pii]
    verdict: transform
    transform: [{ redact: [secret.*, pii.*], as: token }]
  - id: trim
    at: pre_model_call
    when: has(target.metadata)
    verdict: transform
    transform: [{ remove: /metadata }, { cap: output_tokens, to: 20 }]
  - id: no-root
    at: [pre_tool_call, post_tool_call]
    when: text.contains("rm -rf /")
    verdict: deny
`;

const ANSWERS: Readonly<Record<string, unknown>> = {
  openai: {
    id: 'c',
    object: 'chat.completion',
    created: 1,
    model: 'gpt-4o-mini',
    choices: [{ index: 0, message: { role: 'assistant', content: 'ok' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10 },
  },
  anthropic: {
    id: 'm',
    type: 'message',
    role: 'assistant',
    model: 'claude-sonnet-4-5',
    content: [{ type: 'text', text: 'ok' }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: 9, output_tokens: 1 },
  },
};

/** What once failed: half a character, plain and inside the arguments of a call that comes back. */
const PINNED = [
  JSON.stringify(mutated(CHAT, ['messages', 0, 'content'], 'set', '\ud800')),
  JSON.stringify(mutated(CHAT, ['messages', 2, 'tool_calls', 0, 'function', 'arguments'], 'set', '{"a":"\\ud800"}')),
  JSON.stringify(mutated(CLAUDE, ['messages', 2, 'content', 0, 'content'], 'set', '\ud800')),
];

describe.each([
  ['openai', '/openai/v1/chat/completions', CHAT],
  ['anthropic', '/anthropic/v1/messages', CLAUDE],
])('whatever a caller sends to %s', (name, url, seed) => {
  let gate: Rig;
  let sent = 0;
  beforeAll(async () => {
    gate = await rig({
      policy: POLICY,
      limit: 10n ** 18n,
      send: async () => {
        sent += 1;
        const body = (async function* () {
          yield Buffer.from(JSON.stringify(ANSWERS[name]));
        })();
        return { status: 200, headers: { 'content-type': 'application/json' }, body };
      },
    });
  });
  afterAll(() => gate.close());

  it('gets a well-formed answer, costs one receipt, and is never an internal failure', {
    timeout: 120_000,
  }, async () => {
    let statuses = new Set<number>();
    await fc.assert(
      fc.asyncProperty(mutant(seed), async (body) => {
        const [seals, calls, alarms] = [gate.seals().length, sent, gate.alarms.length];
        const { reply, seen } = fakeReply(new AbortController());
        await gate.carry(url, body, {}, reply);
        statuses = statuses.add(seen.status);
        expect(seen.ending).toBe('ended');
        expect(gate.seals().length).toBe(seals + 1);
        const receipt = gate.seals().at(-1);
        expect(receipt?.fault).not.toBe('TG_INTERNAL');
        if (seen.status === 200) expect(sent).toBe(calls + 1);
        else {
          expect([400, 402, 403]).toContain(seen.status);
          expect(sent).toBe(calls);
          expect(JSON.parse(seen.text())).toHaveProperty('error');
        }
        expect(gate.alarms.slice(alarms).filter((a) => a.includes('failed'))).toEqual([]);
        expect((await gate.money()).held).toBe(0n);
      }),
      {
        examples: PINNED.map((body): [string] => [body]),
        numRuns: Number(process.env['FUZZ_RUNS'] ?? 400),
      },
    );
    // both ends of the range were met, or the mutants say nothing
    expect(statuses).toContain(200);
    expect(statuses).toContain(400);
  });
});
