import OpenAI from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';
import { afterEach, describe, expect, it } from 'vitest';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { openClient, plainText, type RawClient } from '../support/socket-client.ts';
import {
  type Event,
  functionCall,
  type ProviderSocket,
  REALTIME_COST,
  type SocketScript,
  type SocketUpstream,
  sessionCreated,
  spokenAnswer,
  startSocketUpstream,
  writtenAnswer,
} from '../support/socket-upstream.ts';

let gate: TestGate;
let upstream: SocketUpstream;

afterEach(async () => {
  await gate.remove();
  await upstream.close();
});

interface Setup extends SocketScript {
  readonly policy?: string;
  readonly config?: Record<string, unknown>;
  readonly credential?: unknown;
}

/** A provider that opens its session and answers every request for a response with `answer`, in turn. */
async function open({ policy, config, credential, ...script }: Setup = {}, answers: readonly Event[][] = []): Promise<void> {
  let turn = 0;
  upstream = await startSocketUpstream({
    onOpen: (provider) => provider.say(sessionCreated()),
    onEvent: (provider, event) => {
      if (event.type !== 'response.create') return;
      for (const one of answers[turn] ?? []) provider.say(one);
      turn += 1;
    },
    ...script,
  });
  gate = await startTestGate({
    ...(policy !== undefined && { policy }),
    upstreams: {
      openai: {
        base_url: upstream.url,
        dialects: ['openai-realtime', 'openai-responses', 'openai-chat'],
        ...(credential !== undefined && { credential }),
      },
    },
    config: { limits: { shutdown_s: 0 }, ...config },
  });
}

const PATH = '/openai/v1/realtime?model=gpt-realtime';
const raw = (run = 'r', headers: Record<string, string> = {}): Promise<RawClient> =>
  openClient(`${gate.url}/run/${run}${PATH}`, { authorization: 'Bearer sk-own', ...headers });
const provider = (at = 0): ProviderSocket => upstream.sockets[at] as ProviderSocket;
const responses = async (count: number) =>
  (await gate.sealed(count)).filter(({ status }) => status !== 101);

const ask = (text: string): Event => ({
  type: 'conversation.item.create',
  item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] },
});

describe('a realtime socket', () => {
  it('is carried for the official client, each response metered to the token', async () => {
    await open({}, [spokenAnswer('resp_1', ['Hel', 'lo']), spokenAnswer('resp_2', ['Bye'])]);
    const client = new OpenAI({ baseURL: `${gate.url}/run/talk/openai/v1`, apiKey: 'sk-own' });
    const rt = new OpenAIRealtimeWS({ model: 'gpt-realtime', options: plainText(gate.url) }, client);
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
      rt.send(ask('hello') as never);
      rt.send({ type: 'response.create' });
    });
    await over;
    rt.close();
    expect(said).toEqual(['Hel', 'lo', 'Bye']);
    const calls = await responses(3);
    expect(calls).toHaveLength(2);
    for (const call of calls) {
      expect(call).toMatchObject({ ending: 'completed', model: 'gpt-realtime', dialect: 'openai-realtime', stream: true });
      expect(call.cost_status).toBe('exact');
      expect(Number(call.cost_usd)).toBeCloseTo(REALTIME_COST, 9);
    }
    expect(calls.map(({ step }) => step)).toEqual([1, 2]);
    expect(calls[0]?.actions.map(({ point }) => point)).toEqual(
      expect.arrayContaining(['input', 'pre_model_call', 'agent_startup', 'post_model_call', 'output']),
    );
    expect((await gate.run('talk')).calls).toBe(3);
  });

  it('keeps the bytes of what no verdict changes, in both directions', async () => {
    const answer = spokenAnswer('resp_1', ['a', 'b']).map((event, i) => JSON.stringify(event, null, i % 3));
    await open({
      onEvent: (to, event) => {
        if (event.type === 'response.create') for (const text of answer) to.say(text);
      },
    });
    const client = await raw();
    const sent = [
      JSON.stringify({ type: 'session.update', session: { type: 'realtime', instructions: 'be brief' } }, null, 2),
      JSON.stringify(ask('hi'), null, 1),
      `{ "type" : "input_audio_buffer.append", "audio":"${Buffer.alloc(3000, 7).toString('base64')}" }`,
      '{"type":"input_audio_buffer.commit"}',
      '{ "event_id":"e9","type":"response.create" }',
    ];
    for (const text of sent) client.say(text);
    await client.next('rate_limits.updated');
    expect(provider().heard).toEqual(sent);
    expect(client.heard.slice(1)).toEqual(answer);
    client.socket.close();
  });
});
