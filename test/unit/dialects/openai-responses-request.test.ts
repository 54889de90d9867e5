import { describe, expect, it } from 'vitest';
import { openaiResponses } from '../../../gateway/dialects/openai-responses.ts';
import { Fault } from '../../../gateway/domain/fault.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { splice } from '../../../gateway/domain/json-splice.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import { resolvePointer } from '../../../gateway/domain/pointer.ts';
import type { Reading } from '../../../gateway/ports/dialect.ts';

function read(body: Record<string, Json>, path?: string): Reading {
  const text = JSON.stringify({ model: 'gpt-x', ...body });
  return openaiResponses.read(parseStrict(text), text.length, {}, path);
}

const CALL = {
  type: 'function_call',
  id: 'fc_11111111',
  call_id: 'call_11111111',
  name: 'weather',
  arguments: '{"city":"Oslo"}',
};
const user = (text: string): Json => ({ role: 'user', content: text });

describe('routes', () => {
  it.each([
    ['POST', '/v1/responses', '/v1/responses'],
    ['POST', '/responses', '/v1/responses'],
    ['POST', '/v1/v1/responses', '/v1/responses'],
    ['POST', '/v1/responses/compact', '/v1/responses/compact'],
    ['POST', '/responses/input_tokens', '/v1/responses/input_tokens'],
  ])('%s %s is asked for at %s', (method, path, upstream) => {
    expect(openaiResponses.claims(method, path)).toBe(true);
    expect(openaiResponses.upstreamPath(path)).toBe(upstream);
  });

  it.each([
    ['GET', '/v1/responses/resp_1'],
    ['POST', '/v1/responses/resp_1/cancel'],
    ['POST', '/v1/chat/completions'],
  ])('%s %s is no request for a response', (method, path) => {
    expect(openaiResponses.claims(method, path)).toBe(false);
  });

  it.each([
    ['GET', '/responses/resp_1', { upstreamPath: '/v1/responses/resp_1', object: 'resp_1', reply: 'answer' }],
    [
      'POST',
      '/v1/responses/resp_1/cancel',
      { upstreamPath: '/v1/responses/resp_1/cancel', object: 'resp_1', reply: 'answer' },
    ],
    ['DELETE', '/v1/responses/resp_1', { upstreamPath: '/v1/responses/resp_1', object: 'resp_1', reply: 'other' }],
    ['GET', '/v1/responses/resp_1/input_items', undefined],
    ['PATCH', '/v1/responses/resp_1', undefined],
    ['GET', '/v1/responses/..%2ffiles', undefined],
    ['GET', '/v1/responses', undefined],
  ])('%s %s asks about what was begun before: %o', (method, path, route) => {
    expect(openaiResponses.follow?.(method, path)).toEqual(route);
  });

  it('counts the tokens of a request free of charge', () => {
    const text = JSON.stringify({ model: 'gpt-5', input: 'hello', max_output_tokens: 100 });
    const counted = openaiResponses.read(parseStrict(text), text.length, {}, '/v1/responses/input_tokens');
    expect(counted).toMatchObject({ stream: false, bound: { free: true, outputCap: 0 }, input: { text: 'hello' } });
    const reply = openaiResponses.readReply(
      parseStrict('{"object":"response.input_tokens","input_tokens":7}'),
      counted,
    );
    expect(reply.usage).toEqual({ entries: [], certainty: 'exact' });
    expect(() => openaiResponses.readReply(parseStrict('{"output":[]}'), counted)).toThrow('input_tokens');
  });
});

describe('input', () => {
  it('may be one text', () => {
    const { input, parts, messages } = read({ input: 'hello', instructions: 'be kind' });
    expect(input).toEqual({ text: 'hello', parts: [{ at: '/input', text: 'hello' }] });
    expect(parts).toEqual([
      { at: '/instructions', text: 'be kind' },
      { at: '/input', text: 'hello' },
    ]);
    expect(messages).toHaveLength(1);
  });

  it('an item of an unknown kind has texts under whatever name', () => {
    const text = JSON.stringify({
      model: 'm',
      input: [{ type: 'novel', 'c~1all': 'x', 'a/b': ['y'], '~0': { '': 'z' } }],
    });
    const doc = parseStrict(text);
    const { parts } = openaiResponses.read(doc, text.length, {});
    expect(parts.map(({ at, text: said }) => [resolvePointer(doc.value, at), said])).toEqual(
      ['x', 'y', 'z'].map((said) => [said, said]),
    );
  });

  it('every part names the text it holds', () => {
    const body = {
      model: 'gpt-x',
      instructions: 'be kind',
      prompt: {
        id: 'pmpt_1',
        variables: { a: 'one', b: { type: 'input_text', text: 'two' }, c: { type: 'input_image', file_id: 'f' } },
      },
      tools: [
        { type: 'function', name: 'f', description: 'does f', parameters: {} },
        {
          type: 'namespace',
          name: 'crm',
          description: 'a crm',
          tools: [{ type: 'function', name: 'find', description: 'finds' }],
        },
        { type: 'mcp', server_label: 'zip', server_description: 'zips', server_url: 'https://zip' },
      ],
      input: [
        { role: 'developer', content: 'rules' },
        {
          role: 'user',
          content: [
            { type: 'input_text', text: 'look' },
            { type: 'input_image', image_url: 'data:' },
          ],
        },
        {
          type: 'reasoning',
          id: 'rs_11111111',
          summary: [{ type: 'summary_text', text: 'thought' }],
          encrypted_content: 'gAAA',
        },
        {
          type: 'message',
          role: 'assistant',
          id: 'msg_11111111',
          content: [
            { type: 'output_text', text: 'well' },
            { type: 'refusal', refusal: 'no' },
          ],
        },
        CALL,
        { type: 'function_call_output', call_id: 'call_11111111', output: 'rain' },
        { type: 'custom_tool_call', id: 'ctc_11111111', call_id: 'call_22222222', name: 'sql', input: 'SELECT 1' },
        {
          type: 'custom_tool_call_output',
          call_id: 'call_22222222',
          output: [
            { type: 'input_text', text: '1' },
            { type: 'input_file', file_id: 'f' },
          ],
        },
        {
          type: 'local_shell_call',
          id: 'lsh_11111111',
          call_id: 'call_33333333',
          action: { type: 'exec', command: ['ls'], env: {} },
        },
        { type: 'local_shell_call_output', id: 'call_33333333', output: '{"stdout":"x"}' },
        { type: 'shell_call', id: 'sh_11111111', call_id: 'call_44444444', action: { commands: ['pwd'] } },
        {
          type: 'shell_call_output',
          call_id: 'call_44444444',
          output: [{ stdout: '/root', stderr: '', outcome: { type: 'exit', exit_code: 0 } }],
        },
        {
          type: 'apply_patch_call',
          id: 'apc_11111111',
          call_id: 'call_55555555',
          operation: { type: 'create_file', path: 'a', diff: '+b' },
        },
        { type: 'apply_patch_call_output', call_id: 'call_55555555', status: 'failed', output: 'denied' },
        { type: 'computer_call', id: 'cu_11111111', call_id: 'call_66666666', action: { type: 'type', text: 'typed' } },
        {
          type: 'computer_call_output',
          call_id: 'call_66666666',
          output: { type: 'computer_screenshot', image_url: 'data:' },
        },
        {
          type: 'code_interpreter_call',
          id: 'ci_11111111',
          code: 'print(1)',
          container_id: 'cntr',
          outputs: [{ type: 'logs', logs: '1' }],
        },
        { type: 'image_generation_call', id: 'ig_11111111', result: 'aGk=' },
        { type: 'mcp_call', id: 'mcp_11111111', name: 'zip', server_label: 'zip', arguments: '{}', output: 'zipped' },
        { type: 'mcp_approval_response', approval_request_id: 'mcpr_1', approve: true, reason: 'fine' },
        { type: 'item_reference', id: 'msg_99999999' },
      ],
    };
    const text = JSON.stringify(body);
    const reading = openaiResponses.read(parseStrict(text), text.length, {});
    for (const { at, text: own } of reading.parts) expect(resolvePointer(body, at), at).toBe(own);
    const texts = reading.parts.map((part) => part.text);
    for (const own of [
      'be kind',
      'one',
      'two',
      'does f',
      'a crm',
      'finds',
      'zips',
      'rules',
      'look',
      'thought',
      'well',
      'no',
      'rain',
      'SELECT 1',
      '1',
      'ls',
      '/root',
      '+b',
      'denied',
      'typed',
      'print(1)',
      'zipped',
      'fine',
    ])
      expect(texts, own).toContain(own);
    for (const own of ['aGk=', 'gAAA', 'cntr']) expect(texts).not.toContain(own);
    expect(reading.parts.filter(({ frozen }) => frozen !== undefined).map((part) => part.text)).toEqual(['thought']);
    expect(reading.results.map(({ callId, tool, content, isError }) => [callId, tool, content, isError])).toEqual([
      ['call_11111111', 'weather', 'rain', false],
      [
        'call_22222222',
        'sql',
        [
          { type: 'input_text', text: '1' },
          { type: 'input_file', file_id: 'f' },
        ],
        false,
      ],
      ['call_33333333', 'local_shell', '{"stdout":"x"}', false],
      ['call_44444444', 'shell', [{ stdout: '/root', stderr: '', outcome: { type: 'exit', exit_code: 0 } }], false],
      ['call_55555555', 'apply_patch', 'denied', true],
      ['call_66666666', 'computer', { type: 'computer_screenshot', image_url: 'data:' }, false],
    ]);
    for (const { at, content, parts } of reading.results) {
      expect(resolvePointer(body, at)).toEqual(content);
      for (const part of parts) expect(resolvePointer(content, part.at)).toBe(part.text);
    }
    expect([...reading.bound.opaque].sort()).toEqual(['file', 'image', 'stored_context']);
    expect(reading.tools).toEqual(['f', 'crm', 'find', 'zip']);
    expect(reading.issuedIds).toEqual(
      expect.arrayContaining(['rs_11111111', 'call_11111111', 'fc_11111111', 'msg_99999999']),
    );
  });

  it('is what the user said since the model last spoke, results left out', () => {
    const output = { type: 'function_call_output', call_id: 'call_11111111', output: 'rain' };
    expect(read({ input: [user('a'), CALL, output] }).input).toBeUndefined();
    expect(read({ input: [user('a'), CALL, output, user('b'), user('c')] }).input?.text).toBe('b\nc');
    expect(read({ input: [{ role: 'system', content: 's' }, user('a')] }).input?.parts).toEqual([
      { at: '/input/1/content', text: 'a' },
    ]);
  });

  it('a result of a call that only the provider knows has no name, unless its kind is a tool by itself', () => {
    const { results, issuedIds, bound } = read({
      previous_response_id: 'resp_12345678x',
      input: [
        { type: 'function_call_output', call_id: 'call_11111111', output: 'rain' },
        { type: 'shell_call_output', call_id: 'call_44444444', output: [] },
      ],
    });
    expect(results.map(({ tool }) => tool)).toEqual(['', 'shell']);
    expect(issuedIds).toEqual(['call_11111111', 'call_44444444', 'resp_12345678x']);
    expect(bound.opaque).toEqual(['stored_context']);
  });

  it('marks leave out what moves: ids, reasoning, instructions', () => {
    const one = read({ input: [user('a'), { type: 'reasoning', id: 'rs_1', summary: [] }, CALL] });
    const two = read({
      instructions: 'x',
      input: [user('a'), { ...CALL, id: 'fc_2', call_id: 'call_2', arguments: '{ "city": "Oslo" }' }],
    });
    expect(one.messages).toEqual(two.messages);
    expect(read({ input: [user('a')] }).messages).toEqual(read({ input: 'a' }).messages);
  });
});

describe('what a request may cost', () => {
  it('cap, tier and cache', () => {
    const { bound, cap } = read({
      input: 'a',
      max_output_tokens: 500,
      service_tier: 'flex',
      prompt_cache_retention: '24h',
    });
    expect(bound).toMatchObject({ outputCap: 500, tier: 'flex', cacheWrite: '1h', choices: 1, opaque: [] });
    expect(cap).toMatchObject({ at: '/max_output_tokens', floor: 16 });
    expect(splice(read({ input: 'a' }).doc.text, { at: cap.at, json: '64' })).toContain('"max_output_tokens":64');
  });

  it('a compaction has no field for a cap: one cannot land', () => {
    const { doc, cap } = read({ input: 'a' }, '/v1/responses/compact?x=1');
    expect(() => splice(doc.text, { at: cap.at, json: '64' })).toThrow(RangeError);
  });

  it('tools that the provider runs, bounded by max_tool_calls; those of the caller cost nothing', () => {
    const tools = [
      { type: 'web_search_preview_2025_03_11' },
      { type: 'file_search', vector_store_ids: [] },
      { type: 'code_interpreter', container: { type: 'auto' } },
      { type: 'image_generation' },
      { type: 'mcp', server_label: 'zip' },
      { type: 'tool_search' },
      { type: 'shell', environment: { type: 'container_auto' } },
      { type: 'x_search' },
      { type: 'shell' },
      { type: 'local_shell' },
      { type: 'computer_use_preview' },
      { type: 'apply_patch' },
      { type: 'tool_search', execution: 'client' },
      { type: 'function', name: 'f' },
      { type: 'custom', name: 'sql' },
    ];
    const { bound, tools: names } = read({ input: 'a', tools, max_tool_calls: 3 });
    const fees = [
      'web_search',
      'file_search',
      'code_session',
      'image_generation',
      'mcp',
      'tool_search',
      'code_session',
      'x_search',
    ];
    expect(bound.serverTools).toEqual(fees.map((fee) => ({ fee, maxUses: 3 })));
    expect(read({ input: 'a', tools: [{ type: 'web_search' }] }).bound.serverTools).toEqual([{ fee: 'web_search' }]);
    expect(names).toEqual([
      'web_search',
      'file_search',
      'code_interpreter',
      'image_generation',
      'zip',
      'tool_search',
      'shell',
      'x_search',
      'local_shell',
      'computer',
      'apply_patch',
      'f',
      'sql',
    ]);
  });

  it('what the body does not show', () => {
    expect(read({ input: 'a', conversation: 'conv_1' }).bound.opaque).toEqual(['stored_context']);
    expect(read({ prompt: { id: 'pmpt_1' } }).bound.opaque).toEqual(['stored_context']);
    expect(read({ input: 'a', context_management: [{ type: 'compaction' }] }).bound.opaque).toEqual(['compaction']);
    expect(read({ input: [{ type: 'compaction', id: 'cmp_1', encrypted_content: 'x' }] }).bound.opaque).toEqual([
      'stored_context',
    ]);
  });
});

it('names that the body asserts', () => {
  const { asserted } = read({
    input: 'a',
    user: 'u',
    safety_identifier: 's',
    prompt_cache_key: 'k',
    conversation: { id: 'conv_1' },
    metadata: { session_id: 'm' },
    client_metadata: { 'x-codex-turn-metadata': '{"session_id":"codex","thread_id":"t"}' },
  });
  expect(asserted).toEqual({
    user: 'u',
    safety_identifier: 's',
    session: 'codex',
    prompt_cache_key: 'k',
    conversation: 'conv_1',
  });
  expect(
    read({ input: 'a', metadata: { session_id: 'm' }, client_metadata: { 'x-codex-turn-metadata': '{' } }).asserted,
  ).toEqual({ session: 'm' });
});

describe('refusals name the field', () => {
  it.each<[string, Record<string, Json>]>([
    ['`model`', { model: 3 }],
    ['`model` must name the model, also with a stored prompt', { model: null, prompt: { id: 'p' } }],
    ['`input`', { input: 3 }],
    ['`input[0]`', { input: [3] }],
    ['`input[0].role`', { input: [{ content: 'x' }] }],
    ['`input[0].content`', { input: [{ role: 'user', content: 3 }] }],
    ['`input[0].content[0].type`', { input: [{ role: 'user', content: [{ text: 'x' }] }] }],
    ['`input[0].content[0].text`', { input: [{ role: 'user', content: [{ type: 'input_text', text: 3 }] }] }],
    ['`input[0].call_id`', { input: [{ type: 'function_call', call_id: 3 }] }],
    ['`tools`', { tools: 3 }],
    ['`tools[0]`', { tools: [3] }],
    ['`stream`', { stream: 'yes' }],
    ['`max_output_tokens`', { max_output_tokens: '5' }],
    ['`max_tool_calls`', { max_tool_calls: -1 }],
    ['`previous_response_id`', { previous_response_id: 3 }],
    ['`prompt`', { prompt: 'x' }],
  ])('%s', (message, body) => {
    const refused = (): Reading => read({ input: 'a', ...body });
    expect(refused).toThrow(Fault);
    expect(refused).toThrow(message);
  });
});
