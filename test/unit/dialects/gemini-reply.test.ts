import { describe, expect, it } from 'vitest';
import { gemini } from '../../../gateway/dialects/gemini.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import type { ReplyChanges } from '../../../gateway/ports/dialect.ts';
import { call, PATH, request, USAGE } from './gemini-streams.ts';

const reply = (parts: readonly Json[], more: Record<string, Json> = {}): Json => ({
  candidates: [{ content: { role: 'model', parts }, finishReason: 'STOP', index: 0, ...more }],
  usageMetadata: USAGE,
  modelVersion: 'gemini-2.5-flash',
});

const doc = (body: Json) => parseStrict(JSON.stringify(body));
const changes = (some: Partial<ReplyChanges>): ReplyChanges => ({
  denied: new Map(),
  edited: new Map(),
  texts: [],
  ...some,
});
const partsOf = (text: string): Json[] =>
  (JSON.parse(text) as { candidates: { content: { parts: Json[] } }[] }).candidates[0]?.content.parts ?? [];

const TWO = reply([
  { text: 'Let me look.' },
  call('weather', { city: 'Oslo' }, { thoughtSignature: 'sig-1' }),
  call('remove', { path: '/etc' }),
]);

describe('reading', () => {
  it('calls, text, model and usage', () => {
    const read = gemini.readReply(doc(TWO));
    expect(read.calls).toEqual([
      {
        slot: '0/call/0',
        callId: '',
        tool: 'weather',
        args: { city: 'Oslo' },
        parts: [{ at: '/city', text: 'Oslo' }],
        malformed: false,
      },
      {
        slot: '0/call/1',
        callId: '',
        tool: 'remove',
        args: { path: '/etc' },
        parts: [{ at: '/path', text: '/etc' }],
        malformed: false,
      },
    ]);
    expect(read.text).toBe('Let me look.');
    expect(read.servedModel).toBe('gemini-2.5-flash');
    expect(read.usage).toEqual({
      entries: [{ model: 'gemini-2.5-flash', leaves: { input: 9, output: 20, reasoning: 7 }, tier: undefined }],
      certainty: 'exact',
    });
  });

  it('arguments that are no object are judged raw', () => {
    const [first] = gemini.readReply(doc(reply([{ functionCall: { name: 'f', args: 'rm -rf' } }]))).calls;
    expect(first).toMatchObject({ malformed: true, args: '["rm -rf"]' });
  });

  it('a refused prompt is a reply; something else is not', () => {
    const blocked = {
      promptFeedback: { blockReason: 'SAFETY' },
      usageMetadata: { promptTokenCount: 4, totalTokenCount: 4 },
    };
    expect(gemini.readReply(doc(blocked)).usage).toMatchObject({
      certainty: 'exact',
      entries: [{ leaves: { input: 4 } }],
    });
    expect(() => gemini.readReply(doc({ choices: [] }))).toThrow(
      expect.objectContaining({ code: 'TG_UPSTREAM_UNREADABLE' }),
    );
  });

  it('without usage it is a floor', () => {
    const { usage } = gemini.readReply(doc({ candidates: [{ content: { parts: [{ text: 'word '.repeat(400) }] } }] }));
    expect(usage.certainty).toBe('floor');
    expect(usage.entries[0]?.leaves.output).toBeGreaterThan(20);
  });

  it.each<[Json, Json, Record<string, number> | undefined]>([
    [
      { webSearchQueries: ['a', 'b'], searchEntryPoint: {} },
      { googleSearch: {} },
      { grounded_prompt: 1, web_search: 2 },
    ],
    [{ groundingChunks: [{ web: { uri: 'u' } }] }, { googleSearch: {} }, { grounded_prompt: 1 }],
    [{ webSearchQueries: ['a'] }, { enterpriseWebSearch: {} }, { enterprise_grounded_prompt: 1 }],
    [{ groundingChunks: [{ maps: { uri: 'u' } }] }, { googleMaps: {} }, { maps_grounded_prompt: 1 }],
    [{}, { googleSearch: {} }, undefined],
    [{ webSearchQueries: [] }, { googleSearch: {} }, undefined],
  ])('a tool costs where it was used, not where it was declared: %j', (groundingMetadata, tool, fees) => {
    const { usage } = gemini.readReply(
      doc(reply([{ text: 'x' }], { groundingMetadata })),
      request({ tools: [tool] }, PATH),
    );
    expect(usage.entries[0]?.fees).toEqual(fees);
  });
});

describe('editing', () => {
  it('no change, no other byte', () => {
    const text = JSON.stringify(TWO, null, 3);
    expect(gemini.editReply(parseStrict(text), changes({}))).toBe(text);
  });

  it('a denied call gives way to text; its signature stays and is lent to the call that is left', () => {
    const sent = gemini.editReply(doc(TWO), changes({ denied: new Map([['0/call/0', 'denied here']]) }));
    expect(partsOf(sent)).toEqual([
      { text: 'Let me look.' },
      { text: '\n\ndenied here', thoughtSignature: 'sig-1' },
      { functionCall: { name: 'remove', args: { path: '/etc' } }, thoughtSignature: 'sig-1' },
    ]);
  });

  it('an edited call keeps its id, name and signature', () => {
    const body = reply([{ functionCall: { id: 'fc-1', name: 'f', args: { a: 1 } }, thoughtSignature: 's' }]);
    const sent = gemini.editReply(doc(body), changes({ edited: new Map([['0/call/0', { a: 2 }]]) }));
    expect(partsOf(sent)).toEqual([{ functionCall: { id: 'fc-1', name: 'f', args: { a: 2 } }, thoughtSignature: 's' }]);
  });

  it('edited text takes what repeats it along', () => {
    const body = reply([{ text: 'the key is hunter2' }], {
      logprobsResult: { chosenCandidates: [{ token: 'hunter2' }] },
      groundingMetadata: { webSearchQueries: ['q'], groundingSupports: [{ segment: { text: 'hunter2' } }] },
    });
    const texts = [{ op: 'set' as const, at: '/candidates/0/content/parts/0/text', value: 'the key is [gone]' }];
    const sent = gemini.editReply(doc(body), changes({ texts }));
    expect(sent).not.toContain('hunter2');
    expect(sent).toContain('webSearchQueries');
  });

  it('a change without a place is an error', () => {
    expect(() => gemini.editReply(doc(TWO), changes({ denied: new Map([['0/call/7', 'x']]) }))).toThrow(RangeError);
  });
});

describe('errors', () => {
  const saying = { code: 'TG_POLICY_DENIED', status: 403, message: 'no', rule: 'a/b', reason: 'r' } as const;

  it('have the shape of Google APIs', () => {
    expect(JSON.parse(gemini.error(saying))).toEqual({
      error: {
        code: 403,
        message: 'no',
        status: 'PERMISSION_DENIED',
        details: [
          {
            '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
            reason: 'TG_POLICY_DENIED',
            domain: 'tollgate',
            metadata: { rule: 'a/b', reason: 'r' },
          },
        ],
      },
    });
  });
});
