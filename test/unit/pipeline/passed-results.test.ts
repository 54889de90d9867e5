import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../gateway/domain/json.ts';
import type { Named } from '../../../gateway/domain/principal.ts';
import type { JudgedAction } from '../../../gateway/domain/receipt.ts';
import { ALLOWED, type Verdict } from '../../../gateway/domain/verdict.ts';
import { PassedResults, type Showing } from '../../../gateway/pipeline/passed-results.ts';
import type { PlacedAction } from '../../../gateway/pipeline/request-actions.ts';

const LONG = 512;
const named = (id: string): Named => ({ id, source: 'test', assurance: 'keyed' });
const digestOf = (text: string): string | undefined =>
  text.length < LONG ? undefined : createHash('sha256').update(text).digest('base64');

const SHOWING: Showing = {
  space: { tenant: 't', key: 'k' },
  principal: { tenant: named('t'), human: named('h'), agent: named('a'), run: named('r'), conflicts: [] },
  model: { provider: 'openai', name: 'gpt', stream: false, maxOutputTokens: 5, tools: ['read'] },
  path: '/v1/chat/completions',
  digestOf,
};

const result = (target: Json, name = 'read', callId: string | null = 'c1'): PlacedAction => ({
  action: { point: 'post_tool_call', plane: 'llm', tool: { name, callId: callId ?? undefined }, target, parts: [] },
  base: '/messages/2/content',
});

const RECORD: JudgedAction = {
  point: 'post_tool_call',
  plane: 'llm',
  decision: 'allow',
  hits: [],
  input_identity: 'sha256:0',
} as never;

/** Shows a result and lets it pass with this verdict. */
function show(passed: PassedResults, action: PlacedAction, verdict: Verdict = ALLOWED, record = RECORD): void {
  passed.passed(passed.fresh(SHOWING, [action]).map(({ key }) => ({ key, judged: { verdict, record } })));
}

const isOld = (passed: PassedResults, action: PlacedAction, showing = SHOWING): boolean =>
  passed.fresh(showing, [action]).length === 0;

describe('a result that passed', () => {
  it('is not fresh when its history is sent again, short or long', () => {
    for (const target of ['short', 'x'.repeat(9000), [{ type: 'text', text: 'y'.repeat(900) }], null]) {
      const passed = new PassedResults();
      expect(isOld(passed, result(target))).toBe(false);
      show(passed, result(target));
      expect(isOld(passed, result(structuredClone(target)))).toBe(true);
    }
  });

  const { principal, model } = SHOWING;
  it.each<[string, Partial<Showing>]>([
    ['tenant', { space: { tenant: 'other', key: 'k' } }],
    ['key', { space: { tenant: 't', key: 'other' } }],
    ['run', { principal: { ...principal, run: named('other') } }],
    ['agent', { principal: { ...principal, agent: named('other') } }],
    ['human', { principal: { ...principal, human: named('other') } }],
    ['assurance', { principal: { ...principal, agent: { ...named('a'), assurance: 'asserted' } } }],
    ['provider', { model: { ...model, provider: 'other' } }],
    ['model', { model: { ...model, name: 'other' } }],
    ['set of tools', { model: { ...model, tools: ['read', 'send'] } }],
    ['route', { path: '/v1/responses' }],
  ])('is judged for another %s', (_, other) => {
    const passed = new PassedResults();
    show(passed, result('text'));
    expect(isOld(passed, result('text'), { ...SHOWING, ...other })).toBe(false);
  });

  it('is known with another cap on the output', () => {
    const passed = new PassedResults();
    show(passed, result('text'));
    expect(isOld(passed, result('text'), { ...SHOWING, model: { ...model, maxOutputTokens: 9 } })).toBe(true);
  });

  it('is judged under another tool or call', () => {
    const passed = new PassedResults();
    show(passed, result('text'));
    expect(isOld(passed, result('text', 'write'))).toBe(false);
    expect(isOld(passed, result('text', 'read', 'c2'))).toBe(false);
    expect(isOld(passed, result('text', 'read', null))).toBe(false);
  });

  it('is never taken for one of other content', () => {
    const content = fc.letrec<{ json: Json }>((tie) => ({
      json: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom<Json>(null, true, 0, '', 'a', '[]', '"a"', digestOf('z'.repeat(LONG)) as string),
        fc.constantFrom('z'.repeat(LONG), `${'z'.repeat(LONG)}y`),
        fc.array(tie('json'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom('a', 'b', 'a":1,"b'), tie('json'), { maxKeys: 3 }),
      ),
    })).json;
    fc.assert(
      fc.property(content, content, (one, other) => {
        const passed = new PassedResults();
        show(passed, result(one));
        expect(isOld(passed, result(other))).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
    );
  });
});

describe('what is judged each time', () => {
  it.each<[string, Verdict, JudgedAction]>([
    ['edited', { ...ALLOWED, decision: 'transform', edits: [{ op: 'remove', at: '' }] }, RECORD],
    ['warned of', { ...ALLOWED, decision: 'warn' }, RECORD],
    ['denied', { ...ALLOWED, decision: 'deny' }, RECORD],
    ['labelled', { ...ALLOWED, labels: ['seen'] }, RECORD],
    ['a reason to halt', { ...ALLOWED, halt: 'run' }, RECORD],
    ['something that smells', ALLOWED, { ...RECORD, findings: { 'pii.email': 1 } }],
  ])('%s', (_, verdict, record) => {
    const passed = new PassedResults();
    show(passed, result('text'), verdict, record);
    expect(isOld(passed, result('text'))).toBe(false);
  });

  it('everything that is no result', () => {
    const passed = new PassedResults();
    const input: PlacedAction = {
      action: { point: 'input', plane: 'llm', target: ['hi'], parts: [] },
      base: ['/messages/0'],
    };
    show(passed, input);
    expect(passed.fresh(SHOWING, [input])).toEqual([input]);
  });
});
