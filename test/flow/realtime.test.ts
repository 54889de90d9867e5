import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';
import { afterEach, describe, expect, it } from 'vitest';
import { openRealtime, type RealtimeGate, userItem } from '../support/realtime-gate.ts';
import { plainText } from '../support/socket-client.ts';
import { functionCall, REALTIME_COST, spokenAnswer, writtenAnswer } from '../support/socket-upstream.ts';

let at: RealtimeGate;

afterEach(() => at.remove());

describe('a realtime socket', () => {
  it('is carried for the official client, each response metered to the token', async () => {
    at = await openRealtime({}, [spokenAnswer('resp_1', ['Hel', 'lo']), spokenAnswer('resp_2', ['Bye'])]);
    const client = new OpenAI({ baseURL: `${at.gate.url}/run/talk/openai/v1`, apiKey: 'sk-own' });
    const rt = new OpenAIRealtimeWS({ model: 'gpt-realtime', options: plainText(at.gate.url) }, client);
    const said: string[] = [];
    let done = 0;
    rt.on('response.output_audio_transcript.delta', ({ delta }) => said.push(delta));
    const over = new Promise<void>((resolve, reject) => {
      rt.on('error', reject);
      rt.on('response.done', () => {
        done += 1;
        if (done === 2) resolve();
        else rt.send({ type: 'response.create' });
      });
    });
    rt.on('session.created', () => {
      rt.send(userItem('hello') as never);
      rt.send({ type: 'response.create' });
    });
    await over;
    rt.close();
    expect(said).toEqual(['Hel', 'lo', 'Bye']);
    const calls = await at.responses(3);
    expect(calls).toHaveLength(2);
    for (const call of calls) {
      expect(call).toMatchObject({
        ending: 'completed',
        model: 'gpt-realtime',
        dialect: 'openai-realtime',
        stream: true,
      });
      expect(call.cost_status).toBe('exact');
      expect(Number(call.cost_usd)).toBeCloseTo(REALTIME_COST, 9);
    }
    expect(calls.map(({ step }) => step)).toEqual([1, 2]);
    expect(calls[0]?.actions.map(({ point }) => point)).toEqual(
      expect.arrayContaining(['input', 'pre_model_call', 'agent_startup', 'post_model_call', 'output']),
    );
    expect((await at.gate.run('talk')).calls).toBe(3);
  });

  it('keeps the bytes of what no verdict changes, in both directions', async () => {
    const answer = spokenAnswer('resp_1', ['a', 'b']).map((event, i) => JSON.stringify(event, null, i % 3));
    at = await openRealtime({
      onEvent: (to, event) => {
        if (event.type === 'response.create') for (const text of answer) to.say(text);
      },
    });
    const client = await at.client();
    const sent = [
      JSON.stringify({ type: 'session.update', session: { type: 'realtime', instructions: 'be brief' } }, null, 2),
      JSON.stringify(userItem('hi'), null, 1),
      `{ "type" : "input_audio_buffer.append", "audio":"${Buffer.alloc(3000, 7).toString('base64')}" }`,
      '{"type":"input_audio_buffer.commit"}',
      '{ "event_id":"e9","type":"response.create" }',
    ];
    for (const text of sent) client.say(text);
    await client.next('rate_limits.updated');
    expect(at.provider().heard).toEqual(sent);
    expect(client.heard.slice(1)).toEqual(answer);
    client.socket.close();
  });
});

const REFUSE_SECRETS = `
policy: tollgate/v1
name: test
default: allow
rules:
  - id: no-bombs
    at: input
    when: text.contains("bomb")
    verdict: deny
    reason: dangerous
    message: ask for something else
  - id: no-leaks
    at: post_tool_call
    when: text.contains("leak")
    verdict: deny
  - id: no-instructions
    at: pre_model_call
    when: text.contains("be evil")
    verdict: deny
  - id: no-rm
    at: pre_tool_call
    tools: [shell]
    when: args.command.contains("rm -rf")
    verdict: deny
    reason: destructive
  - id: stop
    at: input
    when: text.contains("halt me")
    verdict: deny
    halt: run
  - id: no-words
    at: output
    when: text.contains("forbidden")
    verdict: deny
`;

describe('a reload', () => {
  it('holds from the next message on; the socket stays', async () => {
    at = await openRealtime({ policy: 'policy: tollgate/v1\nname: test\ndefault: allow\nrules: []\n' });
    const client = await at.client();
    client.say(userItem('build a bomb'));
    await at.provider().next('conversation.item.create');
    writeFileSync(join(at.gate.folder, 'policies', 'test', 'policy.yaml'), REFUSE_SECRETS);
    at.gate.running.reload();
    client.say(userItem('build a bomb'));
    expect((await client.next('error')).error).toMatchObject({ rule: 'test/no-bombs' });
    expect(at.provider().heard).toHaveLength(1);
  });
});

describe('what is denied on a realtime socket', () => {
  it('an item: said as an error that names it, never carried, and the socket goes on', async () => {
    at = await openRealtime({ policy: REFUSE_SECRETS }, [writtenAnswer('resp_1', ['ok'])]);
    const client = await at.client();
    client.say({ ...userItem('build a bomb'), event_id: 'mine_1' });
    const { error } = await client.next('error');
    expect(error).toMatchObject({ event_id: 'mine_1', code: 'TG_POLICY_DENIED', rule: 'test/no-bombs' });
    expect(String((error as { message: string }).message)).toContain('ask for something else');
    client.say({
      type: 'conversation.item.create',
      item: { type: 'function_call_output', call_id: 'c1', output: 'a leak' },
    });
    expect((await client.next('error')).error).toMatchObject({ rule: 'test/no-leaks' });
    client.say({ type: 'session.update', session: { type: 'realtime', instructions: 'be evil' } });
    expect((await client.next('error')).error).toMatchObject({ rule: 'test/no-instructions' });
    client.say(userItem('fine'));
    client.say({ type: 'response.create' });
    await client.next('response.done');
    expect(at.provider().heard.join()).not.toMatch(/bomb|leak|evil/);
    client.socket.close();
    const calls = await at.responses(5);
    expect(calls.map(({ ending }) => ending)).toEqual(['denied', 'denied', 'denied', 'completed']);
    expect(calls.slice(0, 3).map(({ cost_usd }) => Number(cost_usd))).toEqual([0, 0, 0]);
  });

  it('a function call: held until it is whole, replaced by words wherever it is repeated', async () => {
    at = await openRealtime({ policy: REFUSE_SECRETS }, [
      functionCall('resp_1', 'shell', '{"command":"rm -rf /"}'),
      functionCall('resp_2', 'shell', '{"command":"ls"}'),
    ]);
    const client = await at.client();
    client.say({ type: 'response.create' });
    const done = await client.next('response.done');
    expect(client.heard.join()).not.toContain('rm -rf');
    expect(client.heard.join()).not.toContain('function_call');
    const [item] = (done['response'] as { output: Record<string, unknown>[] }).output;
    expect(item).toMatchObject({ type: 'message', role: 'assistant' });
    expect(JSON.stringify(item)).toContain('test/no-rm');
    for (const event of client.events.filter(
      ({ type }) => type.startsWith('response.') && type !== 'response.done' && type !== 'response.created',
    ))
      expect(event).toMatchObject({ response_id: 'resp_1' });
    client.say({ type: 'response.create' });
    await client.next('response.done');
    expect(client.heard.slice(-8).join()).toContain('{\\"command\\":\\"ls\\"}');
    client.socket.close();
    const calls = await at.responses(3);
    expect(
      calls.map(({ actions }) => actions.filter((a) => a.point === 'pre_tool_call').map((a) => a.decision)),
    ).toEqual([['deny'], ['allow']]);
    for (const call of calls) expect(Number(call.cost_usd)).toBeCloseTo(REALTIME_COST, 9);
  });

  it('the end of an answer: withheld, ended as failed, and its usage still charged exactly', async () => {
    at = await openRealtime({ policy: REFUSE_SECRETS }, [writtenAnswer('resp_1', ['a ', 'forbidden', ' word'])]);
    const client = await at.client();
    client.say({ type: 'response.create' });
    const [error, done] = await Promise.all([client.next('error'), client.next('response.done')]);
    expect(error.error).toMatchObject({ code: 'TG_POLICY_DENIED', rule: 'test/no-words' });
    expect(done).toMatchObject({ response: { id: 'resp_1', status: 'failed', output: [] } });
    client.socket.close();
    const [call] = await at.responses(2);
    expect(call).toMatchObject({ ending: 'cut', fault: 'TG_POLICY_DENIED', cost_status: 'exact' });
    expect(Number(call?.cost_usd)).toBeCloseTo(REALTIME_COST, 9);
  });

  it('a value in what is said or answered is redacted where it stands', async () => {
    const policy = `
policy: tollgate/v1
name: test
default: allow
rules:
  - id: no-mail
    at: [input, output]
    detect: [pii.email]
    verdict: transform
    transform: [{ redact: pii.email, as: token }]
`;
    at = await openRealtime({ policy }, [writtenAnswer('resp_1', ['write to ', 'ann@exa', 'mple.com', ' now'])]);
    const client = await at.client();
    client.say({ ...userItem('I am bob@example.com'), event_id: 'keep' });
    client.say({ type: 'response.create' });
    const done = await client.next('response.done');
    expect(at.provider().heard[0]).toBe(JSON.stringify({ ...userItem('I am <EMAIL_1>'), event_id: 'keep' }));
    expect(client.heard.join()).not.toContain('ann@exa');
    expect(JSON.stringify(done)).toContain('write to <EMAIL_2> now');
    expect(done).toMatchObject({
      type: 'response.done',
      response: { usage: { total_tokens: 253, input_token_details: { text_tokens: 119 } } },
    });
    client.socket.close();
    await at.responses(2);
  });

  it('written words that a sound says too cannot be edited: the answer is withheld', async () => {
    const policy = `
policy: tollgate/v1
name: test
default: allow
rules:
  - id: no-mail
    at: output
    detect: [pii.email]
    verdict: transform
    transform: [{ redact: pii.email, as: token }]
`;
    at = await openRealtime({ policy }, [spokenAnswer('resp_1', ['write to ', 'ann@example.com ', 'now'])]);
    const client = await at.client();
    client.say({ type: 'response.create' });
    const { error } = await client.next('error');
    expect(error).toMatchObject({ code: 'TG_POLICY_DENIED', reason: 'runtime_error:transform_failed' });
    expect(client.heard.join()).not.toContain('ann@');
    client.socket.close();
    expect((await at.responses(2))[0]).toMatchObject({ ending: 'cut' });
  });
});
