import { describe, expect, it } from 'vitest';
import { gemini } from '../../../gateway/dialects/gemini.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { spliceAll } from '../../../gateway/domain/json-splice.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import { PATH, request } from './gemini-streams.ts';

const VERTEX = '/v1/projects/p-1/locations/europe-west4/publishers/google/models/gemini-2.5-pro:streamGenerateContent';

describe('paths', () => {
  it.each([
    ['/v1beta/models/gemini-2.5-flash:generateContent', true, '/v1beta/models/gemini-2.5-flash:generateContent'],
    ['/models/gemini-2.5-flash:generateContent', true, '/v1beta/models/gemini-2.5-flash:generateContent'],
    ['/v1beta/v1beta/models/g:streamGenerateContent', true, '/v1beta/models/g:streamGenerateContent'],
    ['/v1alpha/models/g%3AgenerateContent', true, '/v1alpha/models/g:generateContent'],
    ['/v1beta/tunedModels/mine-1:generateContent', true, '/v1beta/tunedModels/mine-1:generateContent'],
    [VERTEX, true, VERTEX],
    ['/v1/publishers/google/models/g:generateContent', true, '/v1/publishers/google/models/g:generateContent'],
    ['/v1beta/models/g:countTokens', true, '/v1beta/models/g:countTokens'],
    ['/v1beta/models/g:embedContent', true, '/v1beta/models/g:embedContent'],
    ['/v1beta/models/g%3abatchEmbedContents', true, '/v1beta/models/g:batchEmbedContents'],
    ['/cachedContents', true, '/v1beta/cachedContents'],
    ['/v1/projects/p/locations/l/cachedContents', true, '/v1/projects/p/locations/l/cachedContents'],
    ['/v1beta/cachedContents/../models', false, ''],
    ['/v1beta/models/g:batchGenerateContent', false, ''],
    ['/v1beta/models/a/b:generateContent', false, ''],
    ['/v1beta/models/g:generateContent/x', false, ''],
    ['/x/models/g:generateContent', false, ''],
    ['/v1beta/models/..:generateContent', false, ''],
    ['/v1/projects/../locations/x/publishers/google/models/g:generateContent', false, ''],
    ['/v1beta/models/g%2f..%2fx:generateContent', false, ''],
  ])('%s', (path, claimed, asked) => {
    expect(gemini.claims('POST', path)).toBe(claimed);
    expect(gemini.claims('GET', path)).toBe(false);
    if (claimed) expect(gemini.upstreamPath(path)).toBe(asked);
  });

  it('say model, stream and place', () => {
    expect(request({}, '/base/v1beta/models/gemini-3-pro-preview:generateContent')).toMatchObject({
      model: 'gemini-3-pro-preview',
      stream: false,
    });
    const reading = request({}, `${VERTEX}?alt=sse`, { 'x-vertex-ai-llm-shared-request-type': 'flex' });
    expect(reading).toMatchObject({ model: 'gemini-2.5-pro', stream: true });
    expect(reading.bound).toMatchObject({ region: 'europe-west4', tier: 'flex' });
  });

  it.each([
    `${PATH}?alt=proto`,
    `${PATH}?$alt=media`,
    `${PATH}?fields=candidates`,
    `${PATH}?alt=json&$fields=candidates(content)`,
  ])('a reply nobody could meter is refused: %s', (path) => {
    expect(() => request({}, path)).toThrow(expect.objectContaining({ code: 'TG_BAD_REQUEST' }));
  });

  it('a field mask in a header too', () => {
    expect(() => request({}, PATH, { 'x-goog-fieldmask': 'candidates' })).toThrow(/x-goog-fieldmask/);
  });
});

describe('what a request says', () => {
  const CONTENTS: Json = [
    {
      role: 'user',
      parts: [{ text: 'What is the weather?' }, { inlineData: { mimeType: 'image/png', data: 'aGk=' } }],
    },
    { role: 'model', parts: [{ text: 'hm', thought: true }, { text: 'I ' }] },
    {
      role: 'model',
      parts: [
        { text: 'look.' },
        {
          functionCall: { id: 'fc_abcdefgh1', name: 'weather', args: { city: 'Oslo' } },
          thoughtSignature: 'S'.repeat(99),
        },
      ],
    },
    {
      role: 'user',
      parts: [
        { functionResponse: { id: 'fc_abcdefgh1', name: 'weather', response: { sky: ['clear', 'cold'] } } },
        { functionResponse: { name: 'other', response: { error: 'gone' } } },
      ],
    },
    { parts: [{ text: 'and now?' }, { fileData: { mimeType: 'video/mp4', fileUri: 'gs://b/o' } }] },
  ];
  const reading = request({
    contents: CONTENTS,
    systemInstruction: { parts: [{ text: 'Be brief.' }] },
    tools: [
      { functionDeclarations: [{ name: 'weather', description: 'The weather of a city' }] },
      { googleSearch: {} },
    ],
    generationConfig: { maxOutputTokens: 700, candidateCount: 2 },
    cachedContent: 'cachedContents/x1',
    labels: { user: 'ada', session_id: 's-9' },
  });

  it('results, by name and id', () => {
    expect(reading.results).toEqual([
      {
        callId: 'fc_abcdefgh1',
        tool: 'weather',
        at: '/contents/3/parts/0/functionResponse/response',
        content: { sky: ['clear', 'cold'] },
        parts: [
          { at: '/sky/0', text: 'clear' },
          { at: '/sky/1', text: 'cold' },
        ],
        isError: false,
      },
      expect.objectContaining({ callId: '', tool: 'other', isError: true }),
    ]);
  });

  it('the newest words of the user', () => {
    expect(reading.input).toEqual({ text: 'and now?', parts: [{ at: '/contents/4/parts/0/text', text: 'and now?' }] });
  });

  it('every text that detectors read', () => {
    expect(reading.parts.map(({ at, text }) => [at, text])).toEqual([
      ['/systemInstruction/parts/0/text', 'Be brief.'],
      ['/contents/0/parts/0/text', 'What is the weather?'],
      ['/contents/1/parts/0/text', 'hm'],
      ['/contents/1/parts/1/text', 'I '],
      ['/contents/2/parts/0/text', 'look.'],
      ['/contents/2/parts/1/functionCall/args/city', 'Oslo'],
      ['/contents/3/parts/0/functionResponse/response/sky/0', 'clear'],
      ['/contents/3/parts/0/functionResponse/response/sky/1', 'cold'],
      ['/contents/3/parts/1/functionResponse/response/error', 'gone'],
      ['/contents/4/parts/0/text', 'and now?'],
      ['/tools/0/functionDeclarations/0/description', 'The weather of a city'],
    ]);
  });

  it('its bounds', () => {
    expect(reading.tools).toEqual(['weather', 'google_search']);
    expect(reading.bound).toMatchObject({
      model: 'gemini-2.5-flash',
      outputCap: 700,
      choices: 2,
      serverTools: [{ fee: 'web_search' }, { fee: 'grounded_prompt', maxUses: 1 }],
    });
    expect([...reading.bound.opaque].sort()).toEqual(['image', 'stored_context', 'video']);
    expect(reading.asserted).toEqual({ user: 'ada', session: 's-9' });
  });

  it('ids that come back: of calls and of signatures', () => {
    expect(reading.issuedIds).toEqual([`signature:${'S'.repeat(48)}`, 'fc_abcdefgh1']);
  });

  it('a streamed turn kept in pieces is one message, and equal to the reply it was', () => {
    expect(reading.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'tool', 'user']);
    const reply = {
      candidates: [
        {
          content: {
            parts: [
              { text: 'hm', thought: true },
              { text: 'I look.' },
              { functionCall: { name: 'weather', args: { city: 'Oslo' } } },
            ],
          },
        },
      ],
    };
    const { mark } = gemini.readReply(parseStrict(JSON.stringify(reply)));
    expect(reading.messages[1]).toEqual(mark);
  });
});

describe('two spellings, one reading', () => {
  it('protobuf names are read as the JSON names', () => {
    const reading = request({
      contents: [{ role: 'user', parts: [{ inline_data: { mime_type: 'audio/wav', data: 'aGk=' } }] }],
      system_instruction: { parts: { text: 'Be a cat.' } },
      generation_config: { max_output_tokens: 50, candidate_count: 3 },
      tools: { function_declarations: { name: 'f' }, google_search: {} },
      cached_content: 'cachedContents/1',
    });
    expect(reading.bound).toMatchObject({ outputCap: 50, choices: 3, opaque: ['audio', 'stored_context'] });
    expect(reading.cap.at).toBe('/generation_config/max_output_tokens');
    expect(reading.tools).toEqual(['f', 'google_search']);
    expect(reading.parts).toEqual([{ at: '/system_instruction/parts/text', text: 'Be a cat.' }]);
  });

  it('a single message stands for a list', () => {
    const reading = request({ contents: { parts: { text: 'hello' } } });
    expect(reading.input?.parts).toEqual([{ at: '/contents/parts/text', text: 'hello' }]);
  });

  it.each<[Record<string, Json>]>([
    [{ generationConfig: { maxOutputTokens: 10 }, generation_config: { maxOutputTokens: 10_000 } }],
    [{ generationConfig: { maxOutputTokens: 10, max_output_tokens: 10_000 } }],
    [{ contents: [{ parts: [{ functionResponse: { name: 'a' }, function_response: { name: 'b' } }] }] }],
    [{ systemInstruction: { parts: [] }, system_instruction: { parts: [] } }],
  ])('both at once are refused: %j', (extra) => {
    expect(() => request(extra)).toThrow(/are both set/);
  });

  it('null is absent', () => {
    const reading = request({ generationConfig: null, generation_config: { max_output_tokens: 5 } });
    expect(reading.bound.outputCap).toBe(5);
  });
});

describe('the output cap', () => {
  const capped = (extra: Record<string, Json>): Json => {
    const { cap, doc } = request(extra);
    return JSON.parse(spliceAll(doc.text, [{ at: cap.at, json: cap.json?.(64) ?? '64' }])) as Json;
  };

  it.each<[Record<string, Json>, Json]>([
    [{}, { maxOutputTokens: 64 }],
    [{ generationConfig: null }, { maxOutputTokens: 64 }],
    [{ generationConfig: { temperature: 1 } }, { temperature: 1, maxOutputTokens: 64 }],
    [{ generationConfig: { maxOutputTokens: 900 } }, { maxOutputTokens: 64 }],
  ])('lands in %j', (extra, config) => {
    expect(capped(extra)).toMatchObject({ generationConfig: config });
  });
});

it.each<[Record<string, Json>, string]>([
  [{ contents: [] }, '`contents` must be a list'],
  [{ contents: 'hi' }, '`contents` must be a list'],
  [{ contents: ['hi'] }, '`contents/0` must be an object'],
  [{ contents: [{ parts: ['hi'] }] }, '`contents/0/parts/0` must be an object'],
  [{ contents: [{ parts: [{ text: 5 }] }] }, '`contents/0/parts/0/text` must be a string'],
  [{ generationConfig: { maxOutputTokens: '100' } }, '`generationConfig/maxOutputTokens` must be a whole number'],
  [{ generationConfig: { maxOutputTokens: 0 } }, '`generationConfig/maxOutputTokens` must be a whole number'],
  [{ generationConfig: [] }, '`generationConfig` must be an object'],
  [{ tools: 'all' }, '`tools` must be a list'],
])('%j is refused by name', (extra, message) => {
  expect(() => request(extra)).toThrow(
    expect.objectContaining({ code: 'TG_BAD_REQUEST', message: expect.stringContaining(message) as string }),
  );
});

it('a tool nobody knows has no bound, computer use runs at the client', () => {
  const { bound, tools } = request({
    tools: [{ moonWalk: {} }, { computerUse: { environment: 'BROWSER' } }, { urlContext: {} }],
  });
  expect(bound.serverTools).toEqual([{ fee: 'moon_walk' }, { fee: 'url_context', maxUses: 20 }]);
  expect(tools).toEqual(['moon_walk', 'computer_use', 'url_context']);
});
