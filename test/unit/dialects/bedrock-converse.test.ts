import { describe, expect, it } from 'vitest';
import { bedrockConverse } from '../../../gateway/dialects/bedrock-converse.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { spliceAll } from '../../../gateway/domain/json-splice.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import type { ReplyChanges } from '../../../gateway/ports/dialect.ts';
import { CONVERSE, event, join, MODEL, reading, replay, rewritten, told } from './bedrock-streams.ts';

const HI = { messages: [{ role: 'user', content: [{ text: 'hi' }] }] };
const ask = (extra: Record<string, Json> = {}, path = CONVERSE) => reading(bedrockConverse, { ...HI, ...extra }, path);

describe('the path', () => {
  it.each([
    [CONVERSE, true],
    [`${CONVERSE}-stream`, true],
    ['/model/amazon.nova-pro-v1:0/converse', true],
    ['/model/a/b/converse', false],
    ['/model/a/invoke', false],
    ['/models/a/converse', false],
  ])('%s', (path, claimed) => {
    expect(bedrockConverse.claims('POST', path)).toBe(claimed);
    expect(bedrockConverse.claims('GET', path)).toBe(false);
    expect(bedrockConverse.upstreamPath(path)).toBe(path);
  });

  it.each([
    [`${CONVERSE}-stream`, MODEL, 'us', true],
    ['/model/amazon.nova-pro-v1%3A0/converse', 'amazon.nova-pro-v1:0', 'in_region', false],
    ['/model/us-gov.anthropic.claude-sonnet-5/converse', 'us-gov.anthropic.claude-sonnet-5', 'us-gov', false],
    [
      '/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A12%3Ainference-profile%2Feu.amazon.nova-lite-v1%3A0/converse',
      'eu.amazon.nova-lite-v1:0',
      'eu',
      false,
    ],
  ])('%s names model, geography and stream', (path, model, region, stream) => {
    const asked = ask({}, path);
    expect(asked).toMatchObject({ model, stream });
    expect(asked.bound).toMatchObject({ model, region });
  });

  it.each(['/model/../converse', '/model/%2e%2e/converse', '/model/a%2F..%2Fb/converse'])('%s is refused', (path) => {
    expect(() => ask({}, path)).toThrow(expect.objectContaining({ code: 'TG_BAD_REQUEST' }));
  });

  it('an encoding nobody can read is refused', () => {
    expect(() => ask({}, '/model/%E0%A4%A/converse')).toThrow(expect.objectContaining({ code: 'TG_BAD_REQUEST' }));
  });
});

describe('what a request says', () => {
  const asked = ask({
    system: [{ text: 'Be brief.' }, { cachePoint: { type: 'default', ttl: '1h' } }],
    messages: [
      { role: 'user', content: [{ text: 'look' }, { image: { format: 'png', source: { bytes: 'aGk=' } } }] },
      {
        role: 'assistant',
        content: [
          { reasoningContent: { reasoningText: { text: 'hm', signature: 'sig' } } },
          { text: 'I look.' },
          { toolUse: { toolUseId: 'tooluse_abc', name: 'weather', input: { city: 'Oslo' } } },
        ],
      },
      {
        role: 'user',
        content: [
          {
            toolResult: {
              toolUseId: 'tooluse_abc',
              status: 'error',
              content: [{ text: 'no' }, { json: { sky: 'clear' } }],
            },
          },
          { text: 'and now?' },
        ],
      },
    ],
    inferenceConfig: { maxTokens: 300 },
    toolConfig: { tools: [{ toolSpec: { name: 'weather', description: 'Of a city', inputSchema: {} } }] },
    additionalModelRequestFields: { thinking: { type: 'enabled', budget_tokens: 200 } },
    serviceTier: { type: 'flex' },
    requestMetadata: { session_id: 's1', user: 'ada' },
  });

  it('bounds, tools, names', () => {
    expect(asked.bound).toMatchObject({
      outputCap: 300,
      choices: 1,
      tier: 'flex',
      cacheWrite: '1h',
      opaque: ['image'],
      serverTools: [],
    });
    expect(asked.tools).toEqual(['weather']);
    expect(asked.cap).toEqual({ at: '/inferenceConfig/maxTokens', floor: 201 });
    expect(asked.asserted).toEqual({ session: 's1', user: 'ada' });
    expect(asked.issuedIds).toEqual(['tooluse_abc']);
  });

  it('results and the newest words', () => {
    expect(asked.results).toEqual([
      {
        callId: 'tooluse_abc',
        tool: 'weather',
        at: '/messages/2/content/0/toolResult/content',
        content: [{ text: 'no' }, { json: { sky: 'clear' } }],
        parts: [
          { at: '/0/text', text: 'no' },
          { at: '/1/json/sky', text: 'clear' },
        ],
        isError: true,
      },
    ]);
    expect(asked.input).toEqual({ text: 'and now?', parts: [{ at: '/messages/2/content/1/text', text: 'and now?' }] });
  });

  it('texts, signed ones frozen', () => {
    expect(asked.parts.map(({ text, frozen }) => [text, frozen])).toEqual([
      ['Be brief.', undefined],
      ['look', undefined],
      ['hm', 'signed thinking'],
      ['I look.', undefined],
      ['Oslo', undefined],
      ['no', undefined],
      ['clear', undefined],
      ['and now?', undefined],
      ['Of a city', undefined],
    ]);
  });

  it('the model’s turn has the mark of the reply it was', () => {
    const content = [
      { text: 'I ' },
      { text: 'look.' },
      { toolUse: { toolUseId: 'x', name: 'weather', input: { city: 'Oslo' } } },
    ];
    const reply = { output: { message: { role: 'assistant', content } }, stopReason: 'tool_use' };
    expect(bedrockConverse.readReply(parseStrict(JSON.stringify(reply))).mark).toEqual(asked.messages[1]);
  });

  it('a cap lands where there is no place for it yet', () => {
    const { cap, doc } = ask();
    expect(JSON.parse(spliceAll(doc.text, [{ at: cap.at, json: cap.json?.(9) ?? '' }]))).toEqual({
      ...HI,
      inferenceConfig: { maxTokens: 9 },
    });
  });

  it.each<[Record<string, Json>, string]>([
    [{ messages: 'hi' }, 'messages'],
    [{ messages: [{ role: 'system', content: [] }] }, 'messages/0/role'],
    [{ messages: [{ role: 'user', content: 'hi' }] }, 'messages/0/content'],
    [{ messages: [{ role: 'user', content: [{ text: 1 }] }] }, 'messages/0/content/0/text'],
    [{ inferenceConfig: { maxTokens: '9' } }, 'inferenceConfig.maxTokens'],
    [{ toolConfig: { tools: ['x'] } }, 'toolConfig/tools/0'],
  ])('%j is refused by name', (extra, field) => {
    expect(() => ask(extra)).toThrow(
      expect.objectContaining({ code: 'TG_BAD_REQUEST', message: expect.stringContaining(`\`${field}\``) as string }),
    );
  });
});

const CALLS = [
  { text: 'I look.' },
  { toolUse: { toolUseId: 't1', name: 'weather', input: { city: 'Oslo' } } },
  { toolUse: { toolUseId: 't2', name: 'remove', input: { path: '/' } } },
];
const reply = (usage: Json, more: Record<string, Json> = {}): Json => ({
  output: { message: { role: 'assistant', content: CALLS } },
  stopReason: 'tool_use',
  usage,
  ...more,
});
const USAGE = { inputTokens: 10, outputTokens: 5, totalTokens: 15 };
const doc = (body: Json) => parseStrict(JSON.stringify(body));

describe('a complete reply', () => {
  it.each<[string, Json, Record<string, number>, boolean]>([
    ['plain', USAGE, { input: 10, output: 5 }, false],
    [
      'cache outside the input',
      { inputTokens: 10, outputTokens: 5, cacheReadInputTokens: 7, cacheWriteInputTokens: 4, totalTokens: 26 },
      { input: 10, output: 5, cache_read: 7, cache_write_5m: 4 },
      false,
    ],
    [
      'cache left out of the total',
      { inputTokens: 10, outputTokens: 5, cacheReadInputTokens: 7, totalTokens: 15 },
      { input: 10, output: 5, cache_read: 7 },
      false,
    ],
    [
      'writes by lifetime',
      {
        inputTokens: 1,
        outputTokens: 5,
        cacheWriteInputTokens: 9,
        cacheDetails: [
          { ttl: '5m', inputTokens: 3 },
          { ttl: '1h', inputTokens: 6 },
        ],
        totalTokens: 15,
      },
      { input: 1, output: 5, cache_write_5m: 3, cache_write_1h: 6 },
      false,
    ],
    ['a total above the parts', { inputTokens: 1, outputTokens: 5, totalTokens: 16 }, { input: 1, output: 15 }, true],
  ])('is metered: %s', (_name, usage, leaves, estimated) => {
    const read = bedrockConverse.readReply(doc(reply(usage)), ask()).usage;
    expect(read.entries).toEqual([{ model: undefined, leaves, tier: undefined, region: 'us' }]);
    expect(read.certainty).toBe('exact');
    expect(read.estimated ?? false).toBe(estimated);
  });

  it('the tier as served, and the model a router chose', () => {
    const more = {
      serviceTier: { type: 'priority' },
      trace: {
        promptRouter: { invokedModelId: 'arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-lite-v1:0' },
      },
    };
    const read = bedrockConverse.readReply(doc(reply(USAGE, more)), ask());
    expect(read.usage.entries[0]).toMatchObject({ tier: 'priority', model: 'us.amazon.nova-lite-v1:0' });
    expect(read.servedModel).toBe('us.amazon.nova-lite-v1:0');
  });

  it('denied calls become text, and the end is made to fit', () => {
    const changes = (denied: Record<string, string>): ReplyChanges => ({
      denied: new Map(Object.entries(denied)),
      edited: new Map(),
      texts: [],
    });
    const read = bedrockConverse.readReply(doc(reply(USAGE)));
    expect(read.calls.map(({ slot, tool }) => [slot, tool])).toEqual([
      ['block/1', 'weather'],
      ['block/2', 'remove'],
    ]);
    const one = JSON.parse(bedrockConverse.editReply(doc(reply(USAGE)), changes({ 'block/2': 'no' }))) as Record<
      string,
      Json
    >;
    expect(one['stopReason']).toBe('tool_use');
    const both = JSON.parse(
      bedrockConverse.editReply(doc(reply(USAGE)), changes({ 'block/1': 'a', 'block/2': 'b' })),
    ) as Record<string, Json>;
    expect(both).toMatchObject({
      stopReason: 'end_turn',
      output: { message: { content: [{ text: 'I look.' }, { text: 'a' }, { text: 'b' }] } },
    });
    expect(() => bedrockConverse.editReply(doc(reply(USAGE)), changes({ 'block/0': 'x' }))).toThrow(RangeError);
  });

  it('something else is unreadable', () => {
    expect(() => bedrockConverse.readReply(doc({ content: [] }))).toThrow(
      expect.objectContaining({ code: 'TG_UPSTREAM_UNREADABLE' }),
    );
  });
});

const STREAM = [
  event('messageStart', { role: 'assistant', p: 'ab' }),
  event('contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { text: 'hm' } } }),
  event('contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { signature: 's' } } }),
  event('contentBlockStop', { contentBlockIndex: 0 }),
  event('contentBlockDelta', { contentBlockIndex: 1, delta: { text: 'my key ' } }),
  event('contentBlockDelta', { contentBlockIndex: 1, delta: { text: 'sk-1' } }),
  event('contentBlockStop', { contentBlockIndex: 1 }),
  event('contentBlockStart', { contentBlockIndex: 2, start: { toolUse: { toolUseId: 'tooluse_1', name: 'weather' } } }),
  event('contentBlockDelta', { contentBlockIndex: 2, delta: { toolUse: { input: '{"city":' } } }),
  event('contentBlockDelta', { contentBlockIndex: 2, delta: { toolUse: { input: '"Oslo"}' } } }),
  event('contentBlockStop', { contentBlockIndex: 2 }),
  event('messageStop', { stopReason: 'tool_use' }),
  event('metadata', { usage: USAGE, metrics: { latencyMs: 1 }, serviceTier: { type: 'default' } }),
];

describe('a stream', () => {
  const play = () => replay(bedrockConverse, ask({}, `${CONVERSE}-stream`), join(STREAM), 11);

  it('holds a call until it is whole, and ends with its usage', () => {
    const { reader, frames } = play();
    expect(frames.flatMap(({ slots }, i) => (slots.length > 0 ? [i] : []))).toEqual([7, 8, 9, 10]);
    expect(frames.flatMap(({ completes }, i) => completes.map(({ args }) => [i, args]))).toEqual([
      [10, { city: 'Oslo' }],
    ]);
    expect(frames.flatMap(({ closes }) => closes)).toEqual(['block/1']);
    expect(reader.text()).toBe('my key sk-1');
    expect(reader.usage()).toEqual({
      entries: [{ model: undefined, leaves: { input: 10, output: 5 }, tier: 'default', region: 'us' }],
      certainty: 'exact',
    });
  });

  it('a denied call is text at its place, an edited one whole', () => {
    const denied = told(rewritten(play(), { denied: { 'block/2': 'no' } }));
    expect(denied.slice(7)).toEqual([
      { type: 'contentBlockDelta', body: { contentBlockIndex: 2, delta: { text: 'no' } } },
      { type: 'contentBlockStop', body: { contentBlockIndex: 2 } },
      { type: 'messageStop', body: { stopReason: 'end_turn' } },
      { type: 'metadata', body: expect.objectContaining({ usage: USAGE }) as never },
    ]);
    const edited = told(rewritten(play(), { edited: { 'block/2': { city: 'Bergen' } } }));
    expect(edited.slice(7, 10)).toEqual([
      {
        type: 'contentBlockStart',
        body: { contentBlockIndex: 2, start: { toolUse: { toolUseId: 'tooluse_1', name: 'weather' } } },
      },
      { type: 'contentBlockDelta', body: { contentBlockIndex: 2, delta: { toolUse: { input: '{"city":"Bergen"}' } } } },
      { type: 'contentBlockStop', body: { contentBlockIndex: 2 } },
    ]);
    expect(edited.at(-2)?.body['stopReason']).toBe('tool_use');
  });

  it('redacted text has new lengths and checksums; other frames keep their bytes', () => {
    const sent = rewritten(play(), { texts: { 4: { 'block/1': 'my key [gone]' }, 5: { 'block/1': '' } } });
    const messages = told(sent);
    expect(messages).toHaveLength(STREAM.length - 1);
    expect(messages[4]?.body['delta']).toEqual({ text: 'my key [gone]' });
    expect(Buffer.from(sent).includes(Buffer.from(STREAM[0] as Uint8Array))).toBe(true);
  });

  it('an exception inside is a failure; so is a broken checksum', () => {
    const saying = { code: 'TG_POLICY_DENIED', status: 403, message: 'cut', rule: 'a/b' } as const;
    const exception = bedrockConverse.errorEvents(saying);
    expect(told(exception)).toEqual([
      { type: 'validationException', body: { message: 'cut', tollgate: { code: 'TG_POLICY_DENIED', rule: 'a/b' } } },
    ]);
    const { reader } = replay(bedrockConverse, ask(), join([STREAM[0] as Uint8Array, exception]));
    expect(reader.failed()).toBe(true);
    expect(reader.usage().certainty).toBe('floor');
    const broken = join(STREAM);
    broken[20] = 0xff;
    expect(() => replay(bedrockConverse, ask(), broken)).toThrow(
      expect.objectContaining({ code: 'TG_UPSTREAM_UNREADABLE' }),
    );
  });
});

it('an error names its exception where the SDKs look', () => {
  const body = JSON.parse(bedrockConverse.error({ code: 'TG_POLICY_DENIED', status: 403, message: 'no' })) as Json;
  expect(body).toMatchObject({ __type: 'AccessDeniedException', message: 'no' });
});
