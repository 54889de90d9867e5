import OpenAI from 'openai';
import { afterEach, expect, it } from 'vitest';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { completion, json, startUpstream, type TestUpstream } from '../support/upstream.ts';

let gate: TestGate;
let upstream: TestUpstream;

afterEach(async () => {
  await gate.remove();
  await upstream.close();
});

const POLICY = `
policy: tollgate/v1
name: test
default: allow
rules:
  - { id: not-so-fast, at: pre_tool_call, tools: send_email, when: 'run.last("send_email") < 3600.0', verdict: deny, reason: too_soon }
`;

it('a tool is called again only after a while, in its own run; a run older than the gate is not guessed about', async () => {
  let id = 0;
  upstream = await startUpstream((_request, response) => {
    id += 1;
    const call = { id: `m${id}`, type: 'function', function: { name: 'send_email', arguments: `{"n":${id}}` } };
    json(response, 200, completion({ tool_calls: [call] }));
  });
  const options = { policy: POLICY, upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } } };
  gate = await startTestGate(options);
  const ask = async (run: string) => {
    const client = new OpenAI({ baseURL: `${gate.url}/run/${run}/openai/v1`, apiKey: 'sk-own', maxRetries: 0 });
    const { choices } = await client.chat.completions.create({
      model: 'gpt-4o-mini',
      messages: [{ role: 'user', content: `turn ${id}` }],
    });
    return choices[0]?.message;
  };
  expect((await ask('a'))?.tool_calls).toHaveLength(1);
  expect((await ask('a'))?.content).toContain('too_soon');
  expect((await ask('b'))?.tool_calls).toHaveLength(1);
  await gate.stop();
  gate = await startTestGate({ ...options, folder: gate.folder });
  expect((await ask('b'))?.content).toContain('the run is older than what this gate remembers of its tool calls');
  expect((await ask('c'))?.tool_calls).toHaveLength(1);
});
