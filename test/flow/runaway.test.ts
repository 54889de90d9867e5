import { readFileSync } from 'node:fs';
import OpenAI, { type APIError } from 'openai';
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { afterEach, describe, expect, it } from 'vitest';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { completion, json, sse, startUpstream, type TestUpstream } from '../support/upstream.ts';

let gate: TestGate;
let upstream: TestUpstream;

afterEach(async () => {
  await gate.remove();
  await upstream.close();
});

/** What the model proposes in its nth turn; undefined: it is done. */
type Plan = (turn: number) => { readonly tool: string; readonly args: object } | undefined;
/** What a tool answers the nth time it is called. */
type Tool = (name: string, args: string, nth: number) => string;

interface Ended {
  /** model turns that were carried */
  readonly turns: number;
  /** tool calls that the agent was let make */
  readonly executed: number;
  /** what ended the run: the model, or the gate */
  readonly by: 'model' | 'halt' | 'gate';
}

const usage = (prompt: number) => ({ prompt_tokens: prompt, completion_tokens: 20, total_tokens: prompt + 20 });

async function open(
  plan: Plan,
  prompt: (turn: number) => number = (turn) => 200 + turn * 20,
  changed: (policy: string) => string = (policy) => policy,
): Promise<void> {
  let turn = 0;
  upstream = await startUpstream((_request, response) => {
    turn += 1;
    const next = plan(turn);
    const call = next && {
      id: `call_unique_${turn}x`,
      type: 'function',
      function: { name: next.tool, arguments: JSON.stringify(next.args) },
    };
    json(
      response,
      200,
      completion(
        call ? { content: null, tool_calls: [call] } : { content: 'done' },
        usage(prompt(turn)),
        'gpt-4o-mini',
      ),
    );
  });
  gate = await startTestGate({
    policy: changed(readFileSync('policies/runaway/policy.yaml', 'utf8')),
    upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } },
  });
}

/** An agent as people write them: asks, runs the tools it is told to, sends the results back; at most `most` turns. */
async function agent(most: number, tool: Tool, headers: Record<string, string> = {}): Promise<Ended> {
  const openai = new OpenAI({
    baseURL: `${gate.url}/run/loop/openai/v1`,
    apiKey: 'own',
    maxRetries: 0,
    defaultHeaders: headers,
  });
  const messages: ChatCompletionMessageParam[] = [{ role: 'user', content: 'do it' }];
  let executed = 0;
  for (let turns = 0; turns < most; turns += 1) {
    let answer: OpenAI.ChatCompletion;
    try {
      answer = await openai.chat.completions.create({ model: 'gpt-4o-mini', messages, max_completion_tokens: 4000 });
    } catch (error) {
      return { turns, executed, by: /halted/.test((error as APIError).message) ? 'halt' : 'gate' };
    }
    const message = answer.choices[0]?.message as OpenAI.ChatCompletionMessage;
    messages.push(message);
    const calls = message.tool_calls ?? [];
    if (calls.length === 0 && !/tollgate denied/.test(message.content ?? ''))
      return { turns: turns + 1, executed, by: 'model' };
    if (calls.length === 0) messages.push({ role: 'user', content: 'go on' });
    for (const call of calls) {
      if (call.type !== 'function') continue;
      executed += 1;
      const content = tool(call.function.name, call.function.arguments, executed);
      messages.push({ role: 'tool', tool_call_id: call.id, content });
    }
  }
  return { turns: most, executed, by: 'model' };
}

describe('a loop is stopped within its bound', () => {
  it('the same call over and over: four are made, the eighth proposal halts', async () => {
    await open(() => ({ tool: 'search', args: { q: 'again' } }));
    expect(await agent(60, (_n, _a, nth) => `result ${nth}`)).toEqual({ turns: 8, executed: 4, by: 'halt' });
  });

  it('the same call with an id of its own each time, where the policy calls that volatile', async () => {
    const volatile = 'tools:\n  search: { volatile: [/trace/id, /at] }\n\nlists:';
    const plan: Plan = (turn) => ({ tool: 'search', args: { q: 'again', at: turn, trace: { id: `t${turn}` } } });
    await open(plan, undefined, (policy) => policy.replace('lists:', volatile));
    expect(await agent(60, (_n, _a, nth) => `result ${nth}`)).toEqual({ turns: 8, executed: 4, by: 'halt' });
  });

  it('a few calls that come round: halted in the fourth round', async () => {
    const round = ['read', 'list', 'grep'];
    await open((turn) => ({ tool: round[turn % 3] as string, args: {} }));
    const ended = await agent(60, (_n, _a, nth) => `result ${nth}`);
    expect(ended).toMatchObject({ by: 'halt' });
    expect(ended.turns).toBeLessThanOrEqual(12);
  });

  it('the same result again and again, with other calls between: the call is denied, and nothing else', async () => {
    await open((turn) =>
      turn > 24 ? undefined : turn % 2 === 0 ? { tool: 'status', args: {} } : { tool: 'note', args: { turn } },
    );
    let statuses = 0;
    const ended = await agent(60, (name) => {
      if (name === 'status') statuses += 1;
      return name === 'status' ? 'pending' : 'noted';
    });
    expect(statuses).toBe(3);
    expect(ended).toMatchObject({ by: 'model' });
  });

  it('a poller that waits for what never changes', async () => {
    await open(() => ({ tool: 'get_status', args: { id: 1 } }));
    let asked = 0;
    await agent(40, () => {
      asked += 1;
      return 'pending';
    });
    expect(asked).toBe(12);
  });

  it('a context that grows without a new call is clamped', async () => {
    await open(
      (turn) => (turn > 14 ? undefined : { tool: 'get_status', args: { id: 1 } }),
      (turn) => 1000 * 1.4 ** turn,
    );
    await agent(14, (_n, _a, nth) => `different ${nth}`);
    const caps = upstream.received.map(({ body }) => body?.['max_completion_tokens']);
    expect(caps[0]).toBe(4000);
    expect(caps.at(-1)).toBe(1024);
  });

  it('money that runs: clamped above a dollar a minute, halted above twenty', async () => {
    // gpt-4o-mini: 10 million tokens are $1.50
    await open(
      (turn) => ({ tool: 'think', args: { turn } }),
      () => 10_000_000,
    );
    const ended = await agent(60, () => 'on');
    expect(ended).toMatchObject({ by: 'halt' });
    expect(ended.turns).toBeLessThanOrEqual(14);
    expect(upstream.received.at(-1)?.body?.['max_completion_tokens']).toBe(1024);
  });

  it('a request that fails and is sent again and again', async () => {
    upstream = await startUpstream((_r, response) => json(response, 500, { error: { message: 'no' } }));
    gate = await startTestGate({
      policy: readFileSync('policies/runaway/policy.yaml', 'utf8'),
      upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } },
    });
    const openai = new OpenAI({ baseURL: `${gate.url}/run/r/openai/v1`, apiKey: 'own', maxRetries: 0 });
    const statuses: number[] = [];
    for (let i = 0; i < 9; i += 1) {
      const ask = { model: 'gpt-4o-mini', messages: [{ role: 'user' as const, content: 'same' }] };
      await openai.chat.completions.create(ask).catch((error: APIError) => statuses.push(error.status as number));
    }
    expect(statuses).toEqual([500, 500, 500, 500, 500, 500, 403, 403, 403]);
    expect(upstream.received).toHaveLength(6);
  });

  it('agents that begin agents', async () => {
    await open(() => undefined);
    const ask = (headers: Record<string, string>) => agent(1, () => '', headers);
    for (let i = 0; i < 10; i += 1)
      expect(await ask({ 'x-claude-code-agent-id': `sub-${i}` })).toMatchObject({ turns: 1, by: 'model' });
    expect(await ask({ 'x-claude-code-agent-id': 'sub-10' })).toMatchObject({ turns: 0, by: 'gate' });
    expect(upstream.received).toHaveLength(10);
  });
});

describe('a chain of agents that begin agents', () => {
  it('ends at the sixth', async () => {
    await open(() => undefined);
    const ask = async (run: string, parent: string): Promise<number> => {
      const answer = await fetch(`${gate.url}/run/${run}/openai/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: 'Bearer own', 'content-type': 'application/json', 'x-tollgate-parent-run': parent },
        body: JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'go' }] }),
      });
      await answer.arrayBuffer();
      return answer.status;
    };
    const statuses: number[] = [];
    for (let i = 1; i <= 6; i += 1) statuses.push(await ask(`r${i}`, `r${i - 1}`));
    expect(statuses).toEqual([200, 200, 200, 200, 200, 403]);
    // and so does one that says it began itself, over another
    expect(await ask('r0', 'r1')).toBe(403);
  });
});

describe('answers that say nearly the same', () => {
  const LONG = Array.from({ length: 300 }, (_, i) => `word${(i * i) % 97} of${i % 11} part${i}`).join(' ');

  async function notes(said: (turn: number) => string, stream = false): Promise<readonly string[][]> {
    let turn = 0;
    upstream = await startUpstream((_request, response) => {
      turn += 1;
      const content = said(turn);
      if (!stream) return json(response, 200, completion({ content }, usage(200), 'gpt-4o-mini'));
      const base = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o-mini' };
      const pieces = [
        { ...base, choices: [{ index: 0, delta: { role: 'assistant', content }, finish_reason: null }] },
        { ...base, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
        { ...base, choices: [], usage: usage(200) },
      ];
      sse(response, [...pieces.map((piece) => `data: ${JSON.stringify(piece)}\n\n`), 'data: [DONE]\n\n']);
    });
    gate = await startTestGate({
      policy: readFileSync('policies/runaway/policy.yaml', 'utf8'),
      upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } },
    });
    const openai = new OpenAI({ baseURL: `${gate.url}/run/loop/openai/v1`, apiKey: 'own', maxRetries: 0 });
    for (let i = 1; i <= 5; i += 1) {
      const ask = { model: 'gpt-4o-mini', messages: [{ role: 'user' as const, content: `go on, ${i}` }] };
      if (stream) for await (const _chunk of await openai.chat.completions.create({ ...ask, stream }));
      else await openai.chat.completions.create(ask);
    }
    const calls = await gate.sealed(5);
    return calls.map(({ actions }) => actions.flatMap(({ reason }) => reason ?? []));
  }

  it.each([false, true])('are noted from the third on, where the next is asked for (streamed: %s)', async (stream) => {
    const found = await notes((turn) => `${LONG} and this was attempt ${turn}`, stream);
    expect(found).toEqual([[], [], [], ['near_duplicate'], ['near_duplicate']]);
  });

  it('are not what differs', async () => {
    const found = await notes((turn) => LONG.replaceAll('word', `${'abcde'[turn - 1]}ord`));
    expect(found.flat()).toEqual([]);
  });
});

describe('work that only looks like a loop goes on', () => {
  const done =
    (...calls: readonly (readonly [string, object])[]): Plan =>
    (turn) => {
      const call = calls[turn - 1];
      return call && { tool: call[0], args: call[1] };
    };
  const benign: readonly (readonly [string, Plan, Tool, number])[] = [
    [
      'reads many files',
      (turn) => (turn > 30 ? undefined : { tool: 'read', args: { path: `/src/${turn}.ts` } }),
      (_n, a) => `text of ${a}`,
      30,
    ],
    [
      'edits and tests, until the tests pass',
      (turn) =>
        turn > 16 ? undefined : turn % 2 === 1 ? { tool: 'edit', args: { patch: turn } } : { tool: 'test', args: {} },
      (n, _a, nth) => (n === 'test' ? `${20 - nth} failing` : 'edited'),
      16,
    ],
    [
      'waits for a build',
      (turn) => (turn > 10 ? undefined : { tool: 'get_status', args: { build: 7 } }),
      (_n, _a, nth) => `${nth * 10} %`,
      10,
    ],
    [
      'reads a file again after each edit',
      (turn) =>
        turn > 12
          ? undefined
          : [
              { tool: 'read', args: { path: 'a' } },
              { tool: 'edit', args: { line: turn } },
              { tool: 'lint', args: { turn } },
            ][(turn - 1) % 3],
      (n, _a, nth) => `${n} ${nth}`,
      12,
    ],
    [
      'asks the same twice, then something else',
      done(['search', { q: 'x' }], ['search', { q: 'x' }], ['search', { q: 'y' }], ['search', { q: 'x' }]),
      () => 'nothing found',
      4,
    ],
    [
      'pages through a list',
      (turn) => (turn > 20 ? undefined : { tool: 'list', args: { cursor: turn } }),
      (_n, _a, nth) => `page ${nth}`,
      20,
    ],
  ];
  it.each(benign)('%s', async (_name, plan, tool, calls) => {
    await open(plan);
    expect(await agent(60, tool)).toEqual({ turns: calls + 1, executed: calls, by: 'model' });
  });
});
