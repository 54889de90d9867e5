import { describe, expect, it } from 'vitest';
import { bedrockInvoke } from '../../../gateway/dialects/bedrock-invoke.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import { event, INVOKE, join, MODEL, reading, replay, rewritten, told, unwrapped, wrapped } from './bedrock-streams.ts';

const BODY = { anthropic_version: 'bedrock-2023-05-31', max_tokens: 100, messages: [{ role: 'user', content: 'hi' }] };
const STREAMED = `${INVOKE}-with-response-stream`;

describe('the path', () => {
  it.each([
    [INVOKE, true],
    [STREAMED, true],
    ['/model/anthropic.claude-3-haiku-20240307-v1:0/invoke', true],
    ['/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Fanthropic.claude-opus-4-7/invoke', true],
    ['/model/meta.llama3-8b-instruct-v1%3A0/invoke', false],
    ['/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fabc/invoke', false],
    ['/model/amazon.anthropic.claude/x/invoke', false],
    [`${INVOKE}-with-bidirectional-stream`, false],
  ])('%s', (path, claimed) => {
    expect(bedrockInvoke.claims('POST', path)).toBe(claimed);
  });

  it('names model, geography and stream; the body stays as it is', () => {
    const asked = reading(bedrockInvoke, BODY, STREAMED);
    expect(asked).toMatchObject({ model: MODEL, stream: true });
    expect(asked.bound).toMatchObject({ model: MODEL, region: 'us', outputCap: 100 });
    expect(asked.doc.value).toEqual(BODY);
    expect(reading(bedrockInvoke, BODY, INVOKE).stream).toBe(false);
  });
});

it('a complete reply is a message, priced where the path asked for it', () => {
  const reply = {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-sonnet-4-5-20250929',
    content: [{ type: 'text', text: 'hi' }],
    stop_reason: 'end_turn',
    usage: { input_tokens: 3, output_tokens: 2 },
  };
  const { usage } = bedrockInvoke.readReply(parseStrict(JSON.stringify(reply)), reading(bedrockInvoke, BODY, INVOKE));
  expect(usage).toMatchObject({
    certainty: 'exact',
    entries: [{ model: 'claude-sonnet-4-5-20250929', region: 'us', leaves: { input: 3, output: 2 } }],
  });
});

const NATIVE = [
  {
    type: 'message_start',
    message: {
      id: 'msg_1',
      model: 'claude-sonnet-4-5-20250929',
      role: 'assistant',
      content: [],
      usage: { input_tokens: 12, output_tokens: 1 },
    },
  },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'grüß dich' } },
  { type: 'content_block_stop', index: 0 },
  {
    type: 'content_block_start',
    index: 1,
    content_block: { type: 'tool_use', id: 'toolu_1', name: 'remove', input: {} },
  },
  { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '{"path":' } },
  { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '"/"}' } },
  { type: 'content_block_stop', index: 1 },
  { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 30 } },
  { type: 'message_stop', 'amazon-bedrock-invocationMetrics': { inputTokenCount: 12, outputTokenCount: 30 } },
];

describe('a response stream', () => {
  const bytes = join(NATIVE.map(wrapped));
  const play = (size = 13) => replay(bedrockInvoke, reading(bedrockInvoke, BODY, STREAMED), bytes, size);

  it('leaves in the bytes it came in, and is metered', () => {
    for (const size of [1, 50, bytes.length])
      expect(Buffer.concat(play(size).frames.map((frame) => frame.bytes)).equals(bytes)).toBe(true);
    const { reader, frames } = play();
    expect(reader.finished()).toBe(true);
    expect(reader.text()).toBe('grüß dich');
    expect(reader.usage()).toMatchObject({
      certainty: 'exact',
      entries: [{ region: 'us', leaves: { input: 12, output: 30 } }],
    });
    expect(frames.flatMap(({ completes }) => completes)).toMatchObject([{ tool: 'remove', args: { path: '/' } }]);
  });

  it('a denied call becomes text inside the wrapping', () => {
    const played = play();
    const [call] = played.frames.flatMap(({ completes }) => completes);
    const sent = unwrapped(rewritten(played, { denied: { [call?.slot as string]: 'not here' } }));
    expect(JSON.stringify(sent)).not.toMatch(/tool_use|partial_json/);
    expect(sent).toContainEqual(expect.objectContaining({ delta: { type: 'text_delta', text: 'not here' } }));
    expect(sent).toContainEqual(expect.objectContaining({ delta: { stop_reason: 'end_turn' } }));
  });

  it('edited arguments go out whole, other messages keep their bytes', () => {
    const played = play();
    const [call] = played.frames.flatMap(({ completes }) => completes);
    const sent = rewritten(played, { edited: { [call?.slot as string]: { path: '/tmp' } } });
    const deltas = unwrapped(sent).filter((one) => JSON.stringify(one).includes('partial_json'));
    expect(deltas).toEqual([
      expect.objectContaining({ delta: { type: 'input_json_delta', partial_json: '{"path":"/tmp"}' } }),
    ]);
    expect(Buffer.from(sent).includes(Buffer.from(wrapped(NATIVE[0] as never)))).toBe(true);
  });

  it('native events on several lines are read all the same', () => {
    const pretty = NATIVE.map((one) =>
      event('chunk', { bytes: Buffer.from(JSON.stringify(one, null, 2)).toString('base64') }),
    );
    const { reader, frames } = replay(bedrockInvoke, reading(bedrockInvoke, BODY, STREAMED), join(pretty));
    expect(frames.flatMap(({ completes }) => completes)).toHaveLength(1);
    expect(reader.usage().certainty).toBe('exact');
    expect(Buffer.concat(frames.map((frame) => frame.bytes)).equals(join(pretty))).toBe(true);
  });

  it('an exception is a failure of the provider, a chunk that is none passes', () => {
    const odd = event('chunk', { bytes: '!!!' });
    const exception = bedrockInvoke.errorEvents({ code: 'TG_UPSTREAM_BROKE', status: 502, message: 'broke' });
    const { reader, frames } = replay(bedrockInvoke, reading(bedrockInvoke, BODY, STREAMED), join([odd, exception]));
    expect(frames).toHaveLength(2);
    expect(reader.failed()).toBe(true);
    expect(told(exception)[0]?.type).toBe('modelStreamErrorException');
  });
});
