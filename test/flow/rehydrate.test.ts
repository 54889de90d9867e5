import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { completion, json, message, sse, startUpstream, type TestUpstream } from '../support/upstream.ts';

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
tools: { send_email: { effect: egress, clearance: confidential } }
lists: { staff: [acme-mail.com] }
rules:
  - id: hide
    at: [input, post_tool_call, pre_model_call, post_model_call, output]
    detect: pii.email
    verdict: transform
    transform: [{ redact: pii.email }]
  - { id: put-back, at: pre_tool_call, tools: send_email, verdict: transform, transform: [{ rehydrate: pii.email, in: /to }] }
  - { id: staff, at: pre_tool_call, tools: send_email, unless: 'lists.staff.exists(d, args.to.endsWith("@" + d))', verdict: deny, reason: stranger }
`;

async function open(answer: Parameters<typeof startUpstream>[0]): Promise<void> {
  upstream = await startUpstream(answer);
  gate = await startTestGate({
    policy: POLICY,
    upstreams: {
      openai: { base_url: upstream.url, dialects: ['openai-chat'] },
      anthropic: { base_url: upstream.url, dialects: ['anthropic-messages'] },
    },
  });
}

const chat = (run: string) =>
  new OpenAI({ baseURL: `${gate.url}/run/${run}/openai/v1`, apiKey: 'sk-own', maxRetries: 0 });
const ANNA = 'anna.berg@acme-mail.com';
const EVE = 'eve@evil-mail.com';
const send = (to: string, text = 'hi') => ({
  id: `c${to.length}`,
  type: 'function' as const,
  function: { name: 'send_email', arguments: JSON.stringify({ to, text }) },
});

describe('a value the model never saw', () => {
  it('reaches the tool that may have it, and no provider in any later turn', async () => {
    let next = send('<EMAIL_1>', 'for <EMAIL_1>');
    await open((_request, response) => json(response, 200, completion({ tool_calls: [next] })));
    const user = { role: 'user' as const, content: `mail ${ANNA}, not ${EVE}` };
    const first = await chat('r').chat.completions.create({ model: 'gpt-4o-mini', messages: [user] });
    const reply = first.choices[0]?.message;
    const [call] = reply?.tool_calls ?? [];
    expect(call).toMatchObject({ function: { arguments: JSON.stringify({ to: ANNA, text: 'for <EMAIL_1>' }) } });
    expect(upstream.received[0]?.text).toContain('mail <EMAIL_1>, not <EMAIL_2>');

    next = send('<EMAIL_2>');
    const history = [
      user,
      { ...reply, role: 'assistant' as const },
      { role: 'tool' as const, tool_call_id: call?.id ?? '', content: 'sent' },
    ];
    const second = await chat('r').chat.completions.create({ model: 'gpt-4o-mini', messages: history as never });
    expect(upstream.received[1]?.text).not.toContain('acme-mail');
    expect(upstream.received[1]?.text).toContain('<EMAIL_1>');
    // what the rules see is the value: a stranger stays one
    expect(second.choices[0]?.message.content).toContain('stranger');

    expect(JSON.stringify(await gate.calls())).not.toMatch(/acme-mail|evil-mail/);
  });

  it('is not there for another run, another key, or a token nobody issued', async () => {
    let next = send('<EMAIL_1>');
    await open((_request, response) => json(response, 200, completion({ tool_calls: [next] })));
    const say = async (run: string, content: string) =>
      (await chat(run).chat.completions.create({ model: 'gpt-4o-mini', messages: [{ role: 'user', content }] }))
        .choices[0]?.message;
    expect((await say('r', `mail ${ANNA}`))?.tool_calls).toHaveLength(1);
    const other = await say('other', 'mail somebody');
    expect(other?.tool_calls).toBeUndefined();
    expect(other?.content).toContain('`<EMAIL_1>` stands for nothing that this gate knows in this run');
    next = send('<EMAIL_7>');
    expect((await say('r', 'go on'))?.content).toContain('`<EMAIL_7>` stands for nothing');
  });

  it('in streams of both languages', async () => {
    const base = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o-mini' };
    const pieces = ['{"to":"<EM', 'AIL_1>","text":"x"}'];
    await open((request, response) => {
      if (request.url.includes('chat'))
        return sse(response, [
          ...pieces.map(
            (piece, i) =>
              `data: ${JSON.stringify({ ...base, choices: [{ index: 0, delta: { ...(i === 0 && { role: 'assistant' }), tool_calls: [{ index: 0, ...(i === 0 && { id: 'c', type: 'function' }), function: { ...(i === 0 && { name: 'send_email' }), arguments: piece } }] }, finish_reason: null }] })}\n\n`,
          ),
          `data: ${JSON.stringify({ ...base, choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] })}\n\n`,
          'data: [DONE]\n\n',
        ]);
      return json(
        response,
        200,
        message([{ type: 'tool_use', id: 't', name: 'send_email', input: { to: '<EMAIL_1>' } }]),
      );
    });
    const ask = {
      model: 'gpt-4o-mini',
      messages: [{ role: 'user' as const, content: `mail ${ANNA}` }],
      stream: true as const,
    };
    const final = await chat('s').chat.completions.stream(ask).finalChatCompletion();
    expect(final.choices[0]?.message.tool_calls?.[0]).toMatchObject({
      function: { arguments: JSON.stringify({ to: ANNA, text: 'x' }) },
    });
    const claude = new Anthropic({ baseURL: `${gate.url}/run/a/anthropic`, apiKey: 'own', maxRetries: 0 });
    const said = await claude.messages.create({
      model: 'claude-sonnet-4-5',
      max_tokens: 50,
      messages: [{ role: 'user', content: `mail ${ANNA}` }],
    });
    expect(said.content).toMatchObject([{ type: 'tool_use', input: { to: ANNA } }]);
  });
});
