import { AzureOpenAI } from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { completion, json, startUpstream, type TestUpstream } from '../support/upstream.ts';

let gate: TestGate | undefined;
let upstream: TestUpstream;

afterEach(async () => {
  await gate?.remove();
  gate = undefined;
  await upstream.close();
});

const POLICY = `policy: tollgate/v1
name: t
default: deny
rules:
  - id: known-models
    at: [agent_startup, input, pre_model_call, post_model_call, output]
    models: [gpt-4o-mini]
    verdict: allow
`;

async function open(model: string): Promise<void> {
  upstream = await startUpstream((_request, response) =>
    json(response, 200, completion({ content: 'hi' }, undefined, 'gpt-4o-mini-2024-07-18')),
  );
  gate = await startTestGate({
    policy: POLICY,
    upstreams: {
      azure: { base_url: upstream.url, dialects: ['azure-openai'], deployments: { 'our-chat': model } } as never,
    },
    config: { budgets: [{ scope: 'tenant', window: 'total', limit_usd: 1 }] },
  });
}

describe('a deployment with a free name', () => {
  it('is quoted and judged as the model it stands for, and called by its own name', async () => {
    await open('gpt-4o-mini');
    const client = new AzureOpenAI({
      endpoint: `${gate?.url}/azure`,
      apiKey: 'key',
      apiVersion: '2024-10-21',
      deployment: 'our-chat',
      maxRetries: 0,
    });
    const messages = [{ role: 'user' as const, content: 'hello' }];
    const done = await client.chat.completions.create({ model: 'our-chat', messages, max_tokens: 100 });
    expect(done.choices[0]?.message.content).toBe('hi');
    expect(upstream.received[0]?.url).toBe('/openai/deployments/our-chat/chat/completions?api-version=2024-10-21');
    const [call] = (await gate?.sealed(1)) ?? [];
    expect(call).toMatchObject({ model: 'gpt-4o-mini-2024-07-18', cost_usd: '0.000009', cost_status: 'exact' });
  });

  it('that stands for a model without a price is refused at the start', async () => {
    await expect(open('gtp-4o')).rejects.toThrow(
      'upstream `azure`: deployment `our-chat` stands for `gtp-4o`, which has no price at `azure`',
    );
  });
});
