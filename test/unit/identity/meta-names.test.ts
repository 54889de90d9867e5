import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../gateway/domain/json.ts';
import { metaNames } from '../../../gateway/identity/meta-names.ts';

describe('names in `_meta`', () => {
  it.each<[Json | undefined, object]>([
    [undefined, {}],
    [null, {}],
    ['threadId', {}],
    [['threadId'], {}],
    [{}, {}],
    [{ threadId: 't' }, { session: 't' }],
    [{ 'ai.opencode/sessionID': 's' }, { session: 's' }],
    [{ 'antigravity.google/conversation_id': 'c' }, { session: 'c' }],
    [{ 'claudecode/toolUseId': 'toolu_1' }, { callId: 'toolu_1' }],
    [{ 'claudecode/toolUseId': '', threadId: '' }, {}],
    [{ 'claudecode/toolUseId': 7, threadId: { a: 1 } }, {}],
    [{ 'antigravity.google/conversation_id': 'c', 'ai.opencode/sessionID': 's', threadId: 't' }, { session: 't' }],
    [{ threadId: '', 'ai.opencode/sessionID': 's' }, { session: 's' }],
    [{ threadid: 't', 'io.example/threadId': 't' }, {}],
  ])('%j names %j', (meta, names) => {
    expect(metaNames(meta)).toEqual(names);
  });

  it('are texts that stand there, whatever a client sends, and never what an object inherits', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const { session, callId } = metaNames(value as Json);
        for (const name of [session, callId].filter((n) => n !== undefined)) {
          expect(name).not.toBe('');
          expect(Object.values(value as object)).toContain(name);
        }
      }),
    );
    expect(metaNames(Object.create({ threadId: 'inherited' }) as Json)).toEqual({});
  });
});
