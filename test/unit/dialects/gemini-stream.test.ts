import { describe, expect, it } from 'vitest';
import { gemini } from '../../../gateway/dialects/gemini.ts';
import { type Json, member } from '../../../gateway/domain/json.ts';
import { call, chunk, chunksIn, FRAMINGS, joined, replay, request, rewritten, STOP, USAGE } from './gemini-streams.ts';

const partsOf = (text: string): Json[] =>
  chunksIn(text).flatMap((one) => {
    const [first] = (member(one, 'candidates') ?? []) as Json[];
    return (member(member(first, 'content'), 'parts') ?? []) as Json[];
  });

const CHUNKS = [
  chunk([{ text: 'thinking "}]" [', thought: true }]),
  chunk([{ text: 'Let me ' }]),
  chunk([{ text: 'look.' }, call('weather', { city: 'Oslo' }, { thoughtSignature: 'sig-1' })]),
  chunk([call('remove', { path: '/etc' })]),
  STOP,
];

const partial = (body: Json): Json => chunk([{ functionCall: body }]);
const PIECES = [
  partial({ name: 'write', willContinue: true }),
  partial({ partialArgs: [{ jsonPath: '$.path', stringValue: '/e', willContinue: true }], willContinue: true }),
  partial({ partialArgs: [{ jsonPath: '$.path', stringValue: 'tc' }], willContinue: true }),
  partial({
    partialArgs: [
      { jsonPath: "$.list[0]['a b']", boolValue: true },
      { jsonPath: '$.n', nullValue: 'NULL_VALUE' },
    ],
    willContinue: true,
  }),
  partial({}),
];

describe.each(FRAMINGS)('framed as %s', (kind, framed) => {
  const stream = framed(CHUNKS);

  it('every byte leaves, cut anywhere, and the frames are the same', () => {
    for (const size of [1, 2, 3, 50, stream.length])
      expect(joined(replay(stream, size).frames.map(({ bytes }) => bytes))).toBe(stream);
  });

  it('reads calls, text, usage', () => {
    const { reader, frames } = replay(stream, 5);
    expect(frames.flatMap(({ completes }) => completes.map(({ slot, tool, args }) => [slot, tool, args]))).toEqual([
      ['0/call/0', 'weather', { city: 'Oslo' }],
      ['0/call/1', 'remove', { path: '/etc' }],
    ]);
    expect(reader.text()).toBe('Let me look.');
    expect(reader.usage()).toMatchObject({
      certainty: 'exact',
      entries: [{ leaves: { input: 9, output: 20, reasoning: 7 } }],
    });
    expect(frames.filter(({ finish }) => finish)).toHaveLength(1);
  });

  it('a denied call is text in its place, whatever went before', () => {
    for (const from of [0, 1, 2]) {
      const { text, reader } = rewritten(stream, { denied: { '0/call/0': 'denied here' } }, from);
      expect(partsOf(text)).toEqual([
        { text: 'thinking "}]" [', thought: true },
        { text: 'Let me ' },
        { text: 'look.' },
        { text: '\n\ndenied here', thoughtSignature: 'sig-1' },
        { functionCall: { name: 'remove', args: { path: '/etc' } }, thoughtSignature: 'sig-1' },
        { text: '' },
      ]);
      expect(reader.mark().canonical).toContain('[["remove",{"path":"/etc"}]]');
    }
  });

  it('arguments in pieces are whole before they are judged; an edit sends them whole', () => {
    const pieces = framed([...PIECES, STOP]);
    const { frames } = replay(pieces);
    const [done] = frames.flatMap(({ completes }) => completes);
    expect(done).toMatchObject({
      tool: 'write',
      args: { path: '/etc', list: [{ 'a b': true }], n: null },
      malformed: false,
    });
    const holding = frames.filter(({ slots }) => slots.includes('0/call/0'));
    expect(holding).toHaveLength(PIECES.length);
    expect(holding.findIndex(({ completes }) => completes.length > 0)).toBe(PIECES.length - 1);
    const { text } = rewritten(pieces, { edited: { '0/call/0': { path: '/tmp' } } });
    expect(partsOf(text)).toEqual([{ functionCall: { name: 'write', args: { path: '/tmp' } } }, { text: '' }]);
    const { text: none } = rewritten(pieces, { denied: { '0/call/0': 'no' } });
    expect(partsOf(none)).toEqual([{ text: 'no' }, { text: '' }]);
  });

  it('a first record that goes away leaves a well-formed stream', () => {
    const late = framed([partial({ name: 'f', willContinue: true }), partial({ name: 'g' }), STOP]);
    const { text } = rewritten(late, { texts: {}, denied: { '0/call/0': 'a', '0/call/1': 'b' } });
    expect(partsOf(text)).toEqual([{ text: 'a' }, { text: '\n\nb' }, { text: '' }]);
  });

  it('redacted text stands in its frame, and what repeats it goes', () => {
    const secret = framed([
      chunk([{ text: 'my key ' }]),
      chunk(
        [{ text: 'sk-1' }],
        { finishReason: 'STOP', groundingMetadata: { groundingSupports: [{ segment: { text: 'my key sk-1' } }] } },
        { usageMetadata: USAGE },
      ),
    ]);
    const { frames } = replay(secret);
    const at = frames.flatMap(({ texts }, i) => (texts.length > 0 ? [i] : []));
    const { text } = rewritten(secret, {
      texts: { [at[0] as number]: { '0/text': 'my key [gone]' }, [at[1] as number]: { '0/text': '' } },
    });
    expect(text).not.toContain('sk-1');
    expect(partsOf(text)).toEqual([{ text: 'my key [gone]' }, { text: '' }]);
  });

  it('closes thoughts where the answer begins, and the rest at the end', () => {
    const { frames } = replay(stream);
    expect(frames.flatMap(({ closes }) => closes)).toEqual(['0/thought', '0/text']);
  });

  it('an error inside is a failure of the provider', () => {
    const { reader } = replay(
      framed([chunk([{ text: 'x' }]), { error: { code: 503, message: 'overloaded', status: 'UNAVAILABLE' } }]),
    );
    expect(reader.failed()).toBe(true);
    expect(reader.usage().certainty).toBe('floor');
  });

  it('says an error in its own framing', () => {
    const saying = { code: 'TG_POLICY_DENIED', status: 403, message: 'cut' } as const;
    const cut = framed(CHUNKS);
    const { frames } = replay(cut);
    for (const upTo of [1, 2, 3]) {
      const reader = gemini.openStream(request());
      reader.push(new TextEncoder().encode(cut));
      const sent = frames.slice(0, upTo).map(({ bytes }) => bytes);
      const text = joined([...sent, reader.errorEvents?.(saying, sent.at(-1)) ?? new Uint8Array(0)]);
      expect(chunksIn(text).at(-1)).toMatchObject({ error: { code: 403, message: 'cut' } });
      expect(chunksIn(text)).toHaveLength(upTo + (kind === 'events' ? 1 : 0));
    }
    const reader = gemini.openStream(request());
    reader.push(new TextEncoder().encode(cut.slice(0, 1)));
    expect(chunksIn(joined([reader.errorEvents?.(saying, undefined) ?? new Uint8Array(0)]))).toHaveLength(1);
  });
});

describe('pieces that contradict each other are judged raw', () => {
  it.each<[string, Json[]]>([
    [
      'a value twice',
      [
        { jsonPath: '$.a', stringValue: 'x' },
        { jsonPath: '$.a', stringValue: 'y' },
      ],
    ],
    ['a gap in a list', [{ jsonPath: '$.a[3]', stringValue: 'x' }]],
    ['a path nobody knows', [{ jsonPath: '$..a', stringValue: 'x' }]],
    ['the prototype', [{ jsonPath: '$.__proto__.a', stringValue: 'x' }]],
    [
      'a member of a string',
      [
        { jsonPath: '$.a', stringValue: 'x' },
        { jsonPath: '$.a.b', stringValue: 'y' },
      ],
    ],
    ['a huge index', [{ jsonPath: '$.a[999999999]', numberValue: 1 }]],
  ])('%s', (_why, pieces) => {
    const { frames } = replay(FRAMINGS[0][1]([partial({ name: 'f', partialArgs: pieces }), STOP]));
    const [done] = frames.flatMap(({ completes }) => completes);
    expect(done).toMatchObject({ tool: 'f', malformed: true, args: JSON.stringify(pieces) });
  });
});

describe('usage in streams', () => {
  const read = (chunks: readonly Json[]) => replay(FRAMINGS[0][1](chunks)).reader;

  it('is merged field by field; a tier alone is no usage', () => {
    const reader = read([
      chunk([{ text: 'a' }], {}, { usageMetadata: { trafficType: 'ON_DEMAND_PRIORITY' } }),
      chunk([{ text: 'b' }], {}, { usageMetadata: { promptTokenCount: 5, thoughtsTokenCount: 4, totalTokenCount: 9 } }),
      chunk(
        [{ text: '' }],
        { finishReason: 'STOP' },
        { usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 2, totalTokenCount: 11 } },
      ),
    ]);
    expect(reader.usage()).toEqual({
      entries: [{ model: 'gemini-2.5-flash', leaves: { input: 5, output: 2, reasoning: 4 }, tier: 'priority' }],
      certainty: 'exact',
    });
  });

  it('is a floor until every candidate asked for has ended', () => {
    const reading = request({ generationConfig: { candidateCount: 2 } });
    const one = FRAMINGS[0][1]([STOP]);
    expect(replay(one, 9, reading).reader.usage().certainty).toBe('floor');
    const other = {
      ...(STOP as object),
      candidates: [{ content: { parts: [{ text: 'b' }] }, index: 1, finishReason: 'MAX_TOKENS' }],
    };
    const both = replay(FRAMINGS[0][1]([STOP, other]), 9, reading).reader;
    expect(both.usage().certainty).toBe('exact');
    expect(both.finished()).toBe(true);
  });

  it('enum numbers are understood', () => {
    const reader = read([
      chunk(
        [{ text: 'a' }],
        { finishReason: 1 },
        { usageMetadata: { ...USAGE, promptTokensDetails: [{ modality: 2, tokenCount: 4 }] } },
      ),
    ]);
    expect(reader.usage().entries[0]?.leaves).toEqual({ input: 5, input_image: 4, output: 20, reasoning: 7 });
  });

  it('a blocked prompt ends the stream', () => {
    const reader = read([
      { promptFeedback: { blockReason: 'OTHER' }, usageMetadata: { promptTokenCount: 3, totalTokenCount: 3 } },
    ]);
    expect(reader.finished()).toBe(true);
    expect(reader.usage()).toMatchObject({ certainty: 'exact', entries: [{ leaves: { input: 3 } }] });
  });

  it('counts what the provider ran', () => {
    const reader = read([
      chunk([
        { executableCode: { language: 'PYTHON', code: 'print(1)' } },
        { codeExecutionResult: { outcome: 'OUTCOME_OK', output: '1' } },
      ]),
      chunk([{ text: 'ok' }], { groundingMetadata: { webSearchQueries: ['a', 'b', 'c'] } }),
    ]);
    expect(reader.providerRuns()).toBe(4);
  });
});
