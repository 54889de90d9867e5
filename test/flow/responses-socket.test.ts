import OpenAI from 'openai';
import { ResponsesWS } from 'openai/resources/responses/ws';
import { afterEach, describe, expect, it } from 'vitest';
import { openRealtime, type RealtimeGate, type RealtimeSetup } from '../support/realtime-gate.ts';
import { openClient, plainText, type RawClient } from '../support/socket-client.ts';
import type { Event } from '../support/socket-upstream.ts';

let at: RealtimeGate;

afterEach(() => at.remove());

const USAGE = {
  input_tokens: 100,
  input_tokens_details: { cached_tokens: 20 },
  output_tokens: 40,
  output_tokens_details: { reasoning_tokens: 10 },
  total_tokens: 140,
};
/** gpt-4o-mini: 80 input, 20 cached, 40 output. */
const COST = (80 * 0.15 + 20 * 0.075 + 40 * 0.6) / 1e6;

interface Answer {
  readonly id: string;
  readonly words?: readonly string[];
  readonly call?: { readonly name: string; readonly args: string };
  readonly lane?: string | undefined;
  readonly ending?: string;
  readonly usage?: unknown;
}

/** The events of one response, as the stream of a POST has them. */
function answer({ id, words = ['ok'], call, lane, ending = 'completed', usage = USAGE }: Answer): Event[] {
  const response = (status: string, output: unknown[], used: unknown = null) => ({
    id,
    object: 'response',
    status,
    model: 'gpt-4o-mini-2024-07-18',
    service_tier: 'default',
    output,
    usage: used,
  });
  const item_id = call ? `fc_${id}` : `msg_${id}`;
  const spot = { item_id, output_index: 0 };
  const text = words.join('');
  const item = call
    ? {
        id: item_id,
        type: 'function_call',
        status: 'completed',
        call_id: `call_${id}abc`,
        name: call.name,
        arguments: call.args,
      }
    : {
        id: item_id,
        type: 'message',
        status: 'completed',
        role: 'assistant',
        content: [{ type: 'output_text', text, annotations: [] }],
      };
  const empty = call
    ? { ...item, status: 'in_progress', arguments: '' }
    : { ...item, status: 'in_progress', content: [] };
  const middle: Event[] = call
    ? [
        { type: 'response.function_call_arguments.delta', ...spot, delta: call.args },
        { type: 'response.function_call_arguments.done', ...spot, arguments: call.args },
      ]
    : [
        {
          type: 'response.content_part.added',
          ...spot,
          content_index: 0,
          part: { type: 'output_text', text: '', annotations: [] },
        },
        ...words.map((delta) => ({ type: 'response.output_text.delta', ...spot, content_index: 0, delta })),
        { type: 'response.output_text.done', ...spot, content_index: 0, text },
        {
          type: 'response.content_part.done',
          ...spot,
          content_index: 0,
          part: { type: 'output_text', text, annotations: [] },
        },
      ];
  const events: Event[] = [
    { type: 'response.created', response: response('in_progress', []) },
    { type: 'response.in_progress', response: response('in_progress', []) },
    { type: 'response.output_item.added', output_index: 0, item: empty },
    ...middle,
    { type: 'response.output_item.done', output_index: 0, item },
    { type: `response.${ending}`, response: response(ending, [item], usage) },
  ];
  return events.map((event, i) => ({ ...event, sequence_number: i, ...(lane !== undefined && { stream_id: lane }) }));
}

const open = (answers: readonly (readonly Event[])[] = [], setup: RealtimeSetup = {}): Promise<RealtimeGate> =>
  openRealtime({ onOpen: () => undefined, ...setup }, answers);
const socket = (run = 'r'): Promise<RawClient> =>
  openClient(`${at.gate.url}/run/${run}/openai/v1/responses`, { authorization: 'Bearer sk-own' });
const create = (more: Record<string, unknown> = {}): Event => ({
  type: 'response.create',
  model: 'gpt-4o-mini',
  input: 'hi',
  max_output_tokens: 100,
  ...more,
});

describe('a Responses socket', () => {
  it('is carried for the official client, each response metered to the token', async () => {
    at = await open([answer({ id: 'resp_1', words: ['Hel', 'lo'] }), answer({ id: 'resp_2', words: ['Bye'] })]);
    const client = new OpenAI({ baseURL: `${at.gate.url}/run/talk/openai/v1`, apiKey: 'sk-own' });
    const ws = new ResponsesWS(client, plainText(at.gate.url));
    const said: string[] = [];
    const over = new Promise<void>((resolve, reject) => {
      let done = 0;
      ws.on('error', reject);
      ws.on('response.output_text.delta', ({ delta }) => said.push(delta));
      ws.on('response.completed', ({ response }) => {
        done += 1;
        if (done === 2) resolve();
        else ws.send(create({ previous_response_id: response.id, input: 'and?' }) as never);
      });
    });
    ws.send(create() as never);
    await over;
    ws.close();
    expect(said).toEqual(['Hel', 'lo', 'Bye']);
    const calls = await at.responses(3);
    expect(calls).toHaveLength(2);
    for (const call of calls) {
      expect(call).toMatchObject({ ending: 'completed', dialect: 'openai-responses', cost_status: 'exact' });
      expect(Number(call.cost_usd)).toBeCloseTo(COST, 9);
    }
    expect(calls.map(({ step }) => step)).toEqual([1, 2]);
    expect(at.provider().request.url).toBe('/v1/responses');
  });

  it('keeps the bytes of what no verdict changes, in both directions', async () => {
    const texts = answer({ id: 'resp_1' }).map((event, i) => JSON.stringify(event, null, i % 3));
    at = await open([], {
      onEvent: (provider) => {
        for (const text of texts) provider.say(text);
      },
    });
    const client = await socket();
    const sent = JSON.stringify(create(), null, 2);
    client.say(sent);
    await client.next('response.completed');
    expect(at.provider().heard).toEqual([sent]);
    expect(client.heard).toEqual(texts);
    client.socket.close();
    await at.responses(2);
  });

  it('carries lanes side by side, each response its own call', async () => {
    at = await open();
    const client = await socket();
    client.say(create({ stream_id: 'a' }));
    client.say(create({ stream_id: 'b', input: 'other' }));
    await expect.poll(() => at.provider().heard.length).toBe(2);
    const [a, b] = [
      answer({ id: 'resp_a', lane: 'a' }),
      answer({ id: 'resp_b', lane: 'b', usage: { ...USAGE, output_tokens: 60, total_tokens: 160 } }),
    ];
    for (const [i, event] of a.entries()) {
      at.provider().say(event);
      at.provider().say(b[i] as Event);
    }
    await client.next('response.completed');
    await client.next('response.completed');
    expect(client.events).toEqual(a.flatMap((event, i) => [event, b[i]]));
    client.socket.close();
    const calls = await at.responses(3);
    expect(calls.map(({ cost_usd }) => Number(cost_usd)).sort()).toEqual([
      expect.closeTo(COST, 9),
      expect.closeTo(COST + (20 * 0.6) / 1e6, 9),
    ]);
  });

  it('a denied function call is replaced by words, in its lane', async () => {
    const policy = `
policy: tollgate/v1
name: test
default: allow
rules:
  - id: no-rm
    at: pre_tool_call
    tools: [shell]
    when: args.command.contains("rm -rf")
    verdict: deny
  - id: no-leaks
    at: post_tool_call
    tools: [shell]
    when: text.contains("leak")
    verdict: deny
`;
    at = await open(
      [
        answer({ id: 'resp_1', call: { name: 'shell', args: '{"command":"rm -rf /"}' }, lane: 'a' }),
        answer({ id: 'resp_2', call: { name: 'shell', args: '{"command":"ls"}' }, lane: 'a' }),
      ],
      { policy },
    );
    const client = await socket();
    client.say(create({ stream_id: 'a' }));
    const done = await client.next('response.completed');
    expect(client.heard.join()).not.toContain('rm -rf');
    expect(JSON.stringify(done)).toContain('test/no-rm');
    expect(client.events.every((event) => event['stream_id'] === 'a')).toBe(true);
    expect(client.events.map((event) => event['sequence_number'])).toEqual(client.events.map((_, i) => i));
    client.say(create({ stream_id: 'a' }));
    await client.next('response.completed');
    // the result names its call only: the socket knows which tool that was
    client.say(
      create({
        stream_id: 'a',
        previous_response_id: 'resp_2',
        input: [{ type: 'function_call_output', call_id: 'call_resp_2abc', output: 'a leak' }],
      }),
    );
    expect(await client.next('error')).toMatchObject({ status: 403, stream_id: 'a', error: { rule: 'test/no-leaks' } });
    expect(at.provider().heard).toHaveLength(2);
    client.socket.close();
    await at.responses(4);
  });

  it('what a rule withholds ends in an error event; the rest is metered', async () => {
    const policy = `
policy: tollgate/v1
name: test
default: allow
rules:
  - id: no-words
    at: output
    when: text.contains("forbidden")
    verdict: deny
`;
    at = await open([answer({ id: 'resp_1', words: ['a forbidden', ' word'] }), answer({ id: 'resp_2' })], { policy });
    const client = await socket();
    client.say(create());
    expect(await client.next('error')).toMatchObject({ code: 'TG_POLICY_DENIED', status: 403 });
    client.say(create());
    await client.next('response.completed');
    client.socket.close();
    const calls = await at.responses(3);
    expect(calls.map(({ ending }) => ending)).toEqual(['cut', 'completed']);
    expect(Number(calls[0]?.cost_usd)).toBeCloseTo(COST, 9);
  });

  it('a steered response goes on by itself: the further one is a call too', async () => {
    at = await open();
    const client = await socket();
    client.say(create());
    await at.provider().next('response.create');
    const first = answer({ id: 'resp_1', ending: 'incomplete' });
    for (const event of first.slice(0, 3)) at.provider().say(event);
    await client.next('response.created');
    client.say({ type: 'response.steer', previous_response_id: 'resp_1', input: 'rather in French' });
    await at.provider().next('response.steer');
    for (const event of [...first.slice(3), ...answer({ id: 'resp_2', words: ['oui'] })]) at.provider().say(event);
    await client.next('response.completed');
    client.socket.close();
    const calls = await at.responses(3);
    expect(calls.map(({ ending, step }) => [ending, step])).toEqual([
      ['completed', 1],
      ['completed', 2],
    ]);
    expect(calls[1]?.actions.filter(({ point }) => point === 'input')).toHaveLength(1);
    for (const call of calls) expect(Number(call.cost_usd)).toBeCloseTo(COST, 9);
  });

  it('a request that the provider refuses costs nothing; one that fails keeps its hold', async () => {
    at = await open();
    const client = await socket();
    client.say(create({ previous_response_id: 'resp_unknown' }));
    await at.provider().next('response.create');
    at.provider().say({ type: 'error', status: 400, error: { code: 'previous_response_not_found', message: 'no' } });
    await client.next('error');
    client.say(create());
    await at.provider().next('response.create');
    for (const event of answer({ id: 'resp_1' }).slice(0, 5)) at.provider().say(event);
    at.provider().say({ type: 'error', status: 500, error: { code: 'server_error', message: 'sorry' } });
    await client.next('error');
    client.socket.close();
    const calls = await at.responses(3);
    expect(calls.map(({ ending, cost_usd }) => [ending, Number(cost_usd) > 0])).toEqual([
      ['upstream_error', false],
      ['upstream_error', true],
    ]);
  });

  it.each([
    ['background', create({ background: true })],
    ['no model', { type: 'response.create', input: 'hi' }],
    ['another event', { type: 'session.update' }],
  ])('%s is refused in words', async (_, event) => {
    at = await open();
    const client = await socket();
    client.say(event);
    expect(await client.next('error')).toMatchObject({ code: 'TG_BAD_REQUEST', status: 400 });
    expect(at.provider().heard).toEqual([]);
    client.socket.close();
    expect((await at.responses(2))[0]).toMatchObject({ ending: 'refused' });
  });

  it('is bounded by budgets like any other call', async () => {
    at = await open([answer({ id: 'resp_1' })], { config: { budgets: [{ scope: 'run', limit_usd: 0.0005 }] } });
    const client = await socket();
    client.say(create({ max_output_tokens: 10_000 }));
    expect(await client.next('error')).toMatchObject({ code: 'TG_BUDGET_EXCEEDED', status: 402 });
    client.say(create());
    await client.next('response.completed');
    client.socket.close();
    expect((await at.responses(3)).map(({ ending }) => ending)).toEqual(['denied', 'completed']);
  });
});
