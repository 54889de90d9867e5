import OpenAI, { APIError, PermissionDeniedError } from 'openai';
import type { ChatCompletion } from 'openai/resources/chat/completions';
import { describe, expect, it } from 'vitest';
import { openaiChat } from '../../../gateway/dialects/openai-chat.ts';
import type { FaultCode } from '../../../gateway/domain/fault.ts';
import {
  call,
  chunk,
  DONE,
  decode,
  delta,
  finish,
  request,
  rewritten,
  TWO_CALLS,
  USAGE,
  usage,
} from './chat-streams.ts';

let asked = 0;

const NO = '[tollgate denied `delete_file`]';

/** The official SDK in front of a server that answers with this body. */
function client(body: string, type = 'text/event-stream', status = 200, headers: Record<string, string> = {}): OpenAI {
  const fetch = async (): Promise<Response> => {
    asked += 1;
    return new Response(body, { status, headers: { 'content-type': type, ...headers } });
  };
  asked = 0;
  return new OpenAI({ apiKey: 'none', baseURL: 'http://gate/v1', fetch, maxRetries: 2 });
}

const ask = { model: 'm', messages: [{ role: 'user', content: 'hi' }] } as const;

/** What the SDK's stream helper makes of a stream. */
async function complete(stream: string): Promise<ChatCompletion.Choice> {
  const helper = client(stream).chat.completions.stream({ ...ask, messages: [...ask.messages] });
  const completion = await helper.finalChatCompletion();
  return completion.choices[0] as ChatCompletion.Choice;
}

const callsOf = (choice: ChatCompletion.Choice): [string, string][] =>
  (choice.message.tool_calls ?? []).map((tool) =>
    tool.type === 'function' ? [tool.function.name, tool.function.arguments] : [tool.custom.name, tool.custom.input],
  );

describe('a stream with changes, read by the official SDK', () => {
  it('without any is what the provider said', async () => {
    const choice = await complete(rewritten(TWO_CALLS, {}).text);
    expect(callsOf(choice)).toEqual([
      ['weather', '{"city":"Oslo"}'],
      ['delete_file', '{"path":"/etc/passwd"}'],
    ]);
  });

  it('last call denied: the other stays, nothing of it is sent', async () => {
    const { text } = rewritten(TWO_CALLS, { denied: { '0/call/1': NO } });
    expect(text).not.toMatch(/call_bbbbbbbb|passwd|"delete_file"/);
    const choice = await complete(text);
    expect(callsOf(choice)).toEqual([['weather', '{"city":"Oslo"}']]);
    expect(choice.message.content).toBe(`Let me look.\n\n${NO}`);
    expect(choice.finish_reason).toBe('tool_calls');
  });

  it('first call denied: the indexes of the others stay dense', async () => {
    const { text } = rewritten(TWO_CALLS, { denied: { '0/call/0': 'no' } });
    const choice = await complete(text);
    expect(callsOf(choice)).toEqual([['delete_file', '{"path":"/etc/passwd"}']]);
    expect(text).not.toContain('"index":1');
    expect(choice.finish_reason).toBe('tool_calls');
  });

  it('all calls denied: an answer in words', async () => {
    const { text, reader } = rewritten(TWO_CALLS, { denied: { '0/call/0': 'no', '0/call/1': NO } });
    const choice = await complete(text);
    expect(choice.message.tool_calls).toBeUndefined();
    expect(choice.message.content).toBe(`Let me look.\n\nno\n\n${NO}`);
    expect(choice.finish_reason).toBe('stop');
    expect(reader.mark()).toEqual(
      request({ messages: [{ role: 'assistant', content: `Let me look.\n\nno\n\n${NO}` }] }).messages[0],
    );
  });

  it('edited: the first piece carries the whole call, the others none', async () => {
    const { text, reader } = rewritten(TWO_CALLS, { edited: { '0/call/1': { path: '/tmp/"x"' } } });
    const choice = await complete(text);
    expect(callsOf(choice)).toEqual([
      ['weather', '{"city":"Oslo"}'],
      ['delete_file', '{"path":"/tmp/\\"x\\""}'],
    ]);
    expect(choice.message.tool_calls?.map(({ id }) => id)).toEqual(['call_aaaaaaaa', 'call_bbbbbbbb']);
    expect(text).not.toContain('passwd');
    expect(reader.mark().canonical).toContain('/tmp/');
  });

  it('one denied, one edited', async () => {
    const { text } = rewritten(TWO_CALLS, { denied: { '0/call/0': 'no' }, edited: { '0/call/1': {} } });
    expect(callsOf(await complete(text))).toEqual([['delete_file', '{}']]);
  });

  it('everything in one event: calls, finish reason and usage', () => {
    const stream = chunk(
      [
        {
          index: 0,
          delta: {
            content: null,
            tool_calls: [
              { id: 'a1a1a1a1', function: { name: 'f', arguments: '{"x":1}' } },
              { id: 'b1b1b1b1', function: { name: 'g', arguments: '{}' } },
            ],
          },
          finish_reason: 'tool_calls',
        },
      ],
      { usage: USAGE },
    );
    const [event] = rewritten(stream, { denied: { '0/call/0': NO, '0/call/1': 'no' } }).text.split('\n\n');
    expect(JSON.parse((event as string).slice(6))).toEqual({
      id: 'chatcmpl-1',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'gpt-x-2',
      choices: [{ index: 0, delta: { content: `${NO}\n\nno` }, finish_reason: 'stop' }],
      usage: USAGE,
    });
    const one = rewritten(stream, { denied: { '0/call/0': NO }, edited: { '0/call/1': { y: 2 } } }).text;
    expect(JSON.parse(one.slice(6))).toMatchObject({
      choices: [
        {
          delta: { content: NO, tool_calls: [{ id: 'b1b1b1b1', function: { name: 'g', arguments: '{"y":2}' } }] },
          finish_reason: 'tool_calls',
        },
      ],
    });
  });

  it('a call without text before it', async () => {
    const stream =
      delta({ role: 'assistant', content: null }) +
      call(0, { name: 'f', arguments: '{}' }, { id: 'x', type: 'function' }) +
      finish('tool_calls') +
      DONE;
    const choice = await complete(rewritten(stream, { denied: { '0/call/0': NO } }).text);
    expect(choice.message.content).toBe(NO);
    expect(choice.finish_reason).toBe('stop');
  });

  it('text behind a denial stands apart from it', async () => {
    const stream =
      delta({ role: 'assistant', content: '' }) +
      call(0, { name: 'f', arguments: '{}' }, { id: 'x', type: 'function' }) +
      delta({ content: 'Any' }) +
      delta({ content: 'way.' }) +
      finish('tool_calls') +
      DONE;
    const { text, reader } = rewritten(stream, { denied: { '0/call/0': NO } });
    // the text was read before the call was sent, so it counts as spoken
    expect((await complete(text)).message.content).toBe(`\n\n${NO}\n\nAnyway.`);
    expect(reader.mark().canonical).toBe(JSON.stringify([`\n\n${NO}\n\nAnyway.`, []]));
  });

  it('a legacy function call denied, and edited', async () => {
    const stream =
      delta({ role: 'assistant', content: null, function_call: { name: 'f', arguments: '' } }) +
      delta({ function_call: { arguments: '{"a":1}' } }) +
      finish('function_call') +
      DONE;
    const denied = await complete(rewritten(stream, { denied: { '0/function': NO } }).text);
    expect(denied.message).toMatchObject({ content: NO, role: 'assistant' });
    expect(denied.message.function_call).toBeUndefined();
    expect(denied.finish_reason).toBe('stop');
    const edited = await complete(rewritten(stream, { edited: { '0/function': { a: 2 } } }).text);
    expect(edited.message.function_call).toEqual({ name: 'f', arguments: '{"a":2}' });
    expect(edited.finish_reason).toBe('function_call');
  });

  it('a custom tool edited', async () => {
    const stream =
      delta({
        role: 'assistant',
        tool_calls: [{ index: 0, id: 'x', type: 'custom', custom: { name: 'sql', input: 'drop ' } }],
      }) +
      delta({ tool_calls: [{ index: 0, custom: { input: 'table' } }] }) +
      finish('tool_calls') +
      DONE;
    expect(callsOf(await complete(rewritten(stream, { edited: { '0/call/0': 'select 1' } }).text))).toEqual([
      ['sql', 'select 1'],
    ]);
  });

  it('redacted text, with everything else as it was', async () => {
    const logprobs = { content: [{ token: 'sk-', logprob: 0, bytes: null, top_logprobs: [] }], refusal: null };
    const secret = chunk(
      [{ index: 0, delta: { role: 'assistant', content: 'key sk-' }, logprobs, finish_reason: null }],
      { obfuscation: 'abc' },
    );
    const stream = secret + delta({ content: '12345' }) + delta({ content: ' ok' }) + finish('stop') + usage() + DONE;
    const { text, reader } = rewritten(stream, { texts: { 0: { '0/text': 'key [gone]' }, 1: { '0/text': '' } } });
    expect(text).toBe(
      chunk([{ index: 0, delta: { role: 'assistant', content: 'key [gone]' }, logprobs: null, finish_reason: null }], {
        obfuscation: 'abc',
      }) +
        delta({ content: ' ok' }) +
        finish('stop') +
        usage() +
        DONE,
    );
    expect((await complete(text)).message.content).toBe('key [gone] ok');
    expect(reader.mark()).toEqual(request({ messages: [{ role: 'assistant', content: 'key [gone] ok' }] }).messages[0]);
    expect(reader.text()).toBe('key sk-12345 ok');
  });

  it('redacted reasoning, wherever it is repeated', () => {
    const stream = delta({
      reasoning: 'sk-1',
      reasoning_content: 'sk-1',
      reasoning_details: [{ type: 'reasoning.text', text: 'sk-1' }],
    });
    const { text } = rewritten(stream, { texts: { 0: { '0/reasoning': '*' } } });
    expect(text).toBe(delta({ reasoning: '*', reasoning_content: '*' }));
  });

  it('redacted text in parts, and where the whole message rides beside the delta', () => {
    const parts = delta({
      content: [
        { type: 'text', text: 'sk-' },
        { type: 'text', text: '1' },
      ],
    });
    expect(rewritten(parts, { texts: { 0: { '0/text': '*' } } }).text).toBe(
      delta({
        content: [
          { type: 'text', text: '*' },
          { type: 'text', text: '' },
        ],
      }),
    );
    const beside = chunk([{ index: 0, message: { content: 'sk-1' }, delta: { content: 'sk-1' } }]);
    expect(rewritten(beside, { texts: { 0: { '0/text': '*' } } }).text).toBe(
      chunk([{ index: 0, delta: { content: '*' } }]),
    );
  });

  it('leaves the other choice alone', () => {
    const stream =
      chunk([
        { index: 0, delta: { tool_calls: [{ index: 0, id: 'x', function: { name: 'f', arguments: '{}' } }] } },
        { index: 1, delta: { content: 'b' } },
      ]) +
      finish('tool_calls') +
      finish('tool_calls', 1);
    expect(rewritten(stream, { denied: { '0/call/0': NO } }).text).toBe(
      chunk([
        { index: 0, delta: { content: NO } },
        { index: 1, delta: { content: 'b' } },
      ]) +
        finish('stop') +
        finish('tool_calls', 1),
    );
  });

  it('keeps CRLF, comments and event names of an event it changes', () => {
    const stream = delta({ content: 'x' })
      .replace('data: ', 'id: 7\r\ndata:')
      .replaceAll('\n', '\r\n')
      .replace('\r\r', '\r');
    expect(rewritten(stream, { texts: { 0: { '0/text': 'y' } } }).text).toBe(
      stream.replace('"content":"x"', '"content":"y"'),
    );
  });
});

describe('what the gate says itself', () => {
  const saying = (code: FaultCode, status: number) => ({
    code,
    status,
    message: 'rule `a/b` says no',
    rule: 'a/b',
    reason: 'because',
  });

  it('is a PermissionDeniedError that is not retried', async () => {
    const body = openaiChat.error(saying('TG_POLICY_DENIED', 403));
    const refused = client(body, 'application/json', 403).chat.completions.create({
      ...ask,
      messages: [...ask.messages],
    });
    const error = await refused.catch((e: unknown) => e);
    expect(error).toBeInstanceOf(PermissionDeniedError);
    expect(asked).toBe(1);
    expect(error).toMatchObject({
      status: 403,
      code: 'TG_POLICY_DENIED',
      type: 'tollgate_policy_denied',
      param: null,
      message: '403 rule `a/b` says no',
      error: { rule: 'a/b', reason: 'because' },
    });
  });

  it('is an APIError for a budget, not retried either', async () => {
    const body = openaiChat.error(saying('TG_BUDGET_EXCEEDED', 402));
    const refused = client(body, 'application/json', 402).chat.completions.create({
      ...ask,
      messages: [...ask.messages],
    });
    const error = await refused.catch((e: unknown) => e);
    expect(error).toBeInstanceOf(APIError);
    expect(asked).toBe(1);
    expect(error).toMatchObject({ status: 402, code: 'TG_BUDGET_EXCEEDED', type: 'tollgate_budget_exceeded' });
  });

  it('leaves out what there is none of', () => {
    expect(JSON.parse(openaiChat.error({ code: 'TG_NO_KEY', status: 401, message: 'no key' }))).toEqual({
      error: { message: 'no key', type: 'tollgate_no_key', param: null, code: 'TG_NO_KEY' },
    });
  });

  it('is raised in mid-stream, after a comment that nobody sees', async () => {
    const events = decode(openaiChat.errorEvents(saying('TG_BUDGET_EXCEEDED', 402)));
    const body =
      decode(openaiChat.keepAlive) + delta({ role: 'assistant', content: 'a' }) + decode(openaiChat.keepAlive) + events;
    const stream = await client(body).chat.completions.create({ ...ask, messages: [...ask.messages], stream: true });
    const seen: string[] = [];
    const read = async (): Promise<void> => {
      for await (const part of stream) seen.push(part.choices[0]?.delta.content ?? '');
    };
    await expect(read()).rejects.toMatchObject({ code: 'TG_BUDGET_EXCEEDED', message: 'rule `a/b` says no' });
    expect(seen).toEqual(['a']);
  });
});
