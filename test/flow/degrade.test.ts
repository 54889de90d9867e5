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
name: thrift
default: allow
rules:
  - id: save-on-the-last-half
    at: pre_model_call
    when: budget.run.left_usd < 0.5 * budget.run.limit_usd && model.name == "gpt-4o"
    verdict: transform
    transform: [{ set: /model, to: gpt-4o-mini }, { cap: output_tokens, to: 200 }]
`;

it('a run near its wall goes on with a cheaper model and less output, and is charged for what was served', async () => {
  // gpt-4o: 10,000 × $2.50/M + 1,000 × $10/M = $0.035 a call; gpt-4o-mini: 10,000 × $0.15/M + 200 × $0.60/M = $0.00162
  upstream = await startUpstream((request, response) => {
    const body = request.body as { model: string; max_completion_tokens: number };
    const usage = { prompt_tokens: 10_000, completion_tokens: body.max_completion_tokens, total_tokens: 0 };
    usage.total_tokens = usage.prompt_tokens + usage.completion_tokens;
    json(response, 200, completion({ content: 'ok' }, usage, body.model));
  });
  gate = await startTestGate({
    policy: POLICY,
    upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } },
    config: { budgets: [{ scope: 'run', limit_usd: 0.15 }] },
  });
  const openai = new OpenAI({ baseURL: `${gate.url}/run/r/openai/v1`, apiKey: 'own' });
  const served: string[] = [];
  for (let i = 0; i < 8; i += 1) {
    const content = `${i} ${'some words of a long prompt '.repeat(360)}`;
    const answer = await openai.chat.completions.create({
      model: 'gpt-4o',
      max_completion_tokens: 1000,
      messages: [{ role: 'user', content }],
    });
    served.push(answer.model);
  }
  expect(served.slice(0, 2)).toEqual(['gpt-4o', 'gpt-4o']);
  expect(served.slice(3)).toEqual(Array(5).fill('gpt-4o-mini'));
  const last = (await gate.sealed(8)).at(-1);
  expect(last).toMatchObject({ model: 'gpt-4o-mini', cost_usd: '0.00162' });
  expect(last?.actions.find(({ point }) => point === 'pre_model_call')).toMatchObject({
    decision: 'transform',
    rule: 'thrift/save-on-the-last-half',
  });
});
