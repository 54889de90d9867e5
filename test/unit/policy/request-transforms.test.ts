import { describe, expect, it } from 'vitest';
import type { Json } from '../../../gateway/domain/json.ts';
import { epochMs } from '../../../gateway/domain/scalars.ts';
import { applyEdits } from '../../../gateway/policy/apply-edits.ts';
import { judge, parts, rule, snapshot } from './_judging.ts';

function change(transforms: string, target: Json, frozen: string[] = []): Json {
  const j = judge(rule('r', `at: pre_model_call, verdict: transform, transform: ${transforms}`));
  const action = { point: 'pre_model_call' as const, target, parts: parts(target, frozen) };
  const { decision, edits } = j.evaluate(snapshot({ action }));
  return decision === 'transform' ? applyEdits(target, edits) : decision;
}

describe('hide', () => {
  const fn = (name: string): Json => ({ type: 'function', function: { name, parameters: { type: 'object' } } });
  it.each<[string, string, Json, Json]>([
    ['chat tools', '[{ hide: bash }]', { tools: [fn('bash'), fn('ls')] }, { tools: [fn('ls')] }],
    [
      'tools with a name of their own',
      '[{ hide: ["fs__*"] }]',
      { tools: [{ name: 'fs__rm' }, { name: 'ls' }, { name: 'fs__mv' }] },
      { tools: [{ name: 'ls' }] },
    ],
    [
      'built-in tools by type',
      '[{ hide: web_search }]',
      { tools: [{ type: 'web_search' }, fn('a')] },
      { tools: [fn('a')] },
    ],
    [
      'declarations in a list of their own',
      '[{ hide: rm }]',
      { tools: [{ functionDeclarations: [{ name: 'rm' }, { name: 'ls' }] }, { googleSearch: {} }] },
      { tools: [{ functionDeclarations: [{ name: 'ls' }] }, { googleSearch: {} }] },
    ],
    [
      'an element whose declarations all go',
      '[{ hide: rm }]',
      { tools: [{ functionDeclarations: [{ name: 'rm' }] }, { googleSearch: {} }] },
      { tools: [{ googleSearch: {} }] },
    ],
    [
      'tools below a configuration',
      '[{ hide: rm }]',
      { toolConfig: { tools: [{ toolSpec: { name: 'rm' } }, { toolSpec: { name: 'ls' } }] } },
      { toolConfig: { tools: [{ toolSpec: { name: 'ls' } }] } },
    ],
    [
      'functions of old',
      '[{ hide: rm }]',
      { functions: [{ name: 'rm' }, { name: 'ls' }] },
      { functions: [{ name: 'ls' }] },
    ],
    [
      'the last one, and the choice with it',
      '[{ hide: "*" }]',
      { model: 'm', tools: [fn('bash')], tool_choice: 'auto', parallel_tool_calls: false },
      { model: 'm' },
    ],
    [
      'the last one below a configuration',
      '[{ hide: "*" }]',
      { a: 1, toolConfig: { tools: [{ toolSpec: { name: 'x' } }] } },
      { a: 1 },
    ],
    ['nothing where nothing matches', '[{ hide: rm }]', { tools: [fn('bash')], n: 1 }, { tools: [fn('bash')], n: 1 }],
    ['nothing where there are no tools', '[{ hide: rm }]', { tools: [], n: 'x' }, { tools: [], n: 'x' }],
  ])('removes %s', (_, transforms, target, after) => {
    expect(change(transforms, target)).toEqual(after);
  });
});

describe('prepend', () => {
  const NOTE = '[{ prepend: "Be brief." }]';
  it.each<[string, Json, Json]>([
    ['instructions', { instructions: 'Help.', input: 'hi' }, { instructions: 'Be brief.\n\nHelp.', input: 'hi' }],
    ['a system text', { system: 'Help.', messages: [] }, { system: 'Be brief.\n\nHelp.', messages: [] }],
    [
      'system blocks',
      { system: [{ type: 'text', text: 'Help.' }] },
      { system: [{ type: 'text', text: 'Be brief.\n\nHelp.' }] },
    ],
    [
      'parts of an instruction',
      { systemInstruction: { parts: [{ text: 'Help.' }] }, contents: [] },
      { systemInstruction: { parts: [{ text: 'Be brief.\n\nHelp.' }] }, contents: [] },
    ],
    [
      'the system message',
      {
        messages: [
          { role: 'system', content: 'Help.' },
          { role: 'user', content: 'hi' },
        ],
      },
      {
        messages: [
          { role: 'system', content: 'Be brief.\n\nHelp.' },
          { role: 'user', content: 'hi' },
        ],
      },
    ],
    [
      'the first message where nothing is for the system',
      { messages: [{ role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'hi' }] }] },
      { messages: [{ role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'Be brief.\n\nhi' }] }] },
    ],
    ['an input that is a text', { input: 'hi' }, { input: 'Be brief.\n\nhi' }],
  ])('writes before %s', (_, target, after) => {
    expect(change(NOTE, target)).toEqual(after);
    expect(change(NOTE, after)).toEqual(after);
  });

  it('writes where it is told', () => {
    expect(change('[{ prepend: N, in: /system }]', { model: 'm' })).toEqual({ model: 'm', system: 'N' });
    expect(
      change('[{ prepend: N, in: "/messages/*/content" }]', { messages: [{ content: 'a' }, { content: 'b' }] }),
    ).toEqual({
      messages: [{ content: 'N\n\na' }, { content: 'N\n\nb' }],
    });
  });

  it('denies where no text stands, or one that must not change', () => {
    expect(change(NOTE, { model: 'm' })).toBe('deny');
    expect(change(NOTE, { system: 'Help.' }, ['/system'])).toBe('deny');
    expect(change('[{ prepend: N, in: /n }]', { n: 1 })).toBe('deny');
  });
});

describe('facts of tools', () => {
  const head =
    'policy: tollgate/v1\nname: t\ndefault: allow\ntools:\n  bash: { effect: money, resource: /path, undo: refund, ' +
    'amount: { at: /sum, unit: EUR }, destinations: [/to, { at: /iban, kind: iban }] }\n';
  const ask = (when: string, target: Json = { sum: 120 }, tool: object = {}, run: object = {}): string =>
    judge(rule('r', `when: '${when}', verdict: deny`), head).evaluate(
      snapshot({ action: { target, tool: { name: 'bash', ...tool } }, run }),
    ).reason ?? '-';
  const yes = (when: string, target?: Json, tool?: object, run?: object): boolean => {
    const { decision, reason } = judge(rule('r', `when: '${when}', verdict: deny`), head).evaluate(
      snapshot({ action: { target: target ?? { sum: 120 }, tool: { name: 'bash', ...tool } }, run: run ?? {} }),
    );
    return decision === 'deny' && reason === undefined;
  };

  it('are what the policy says', () => {
    expect(yes('tool.amount > 100.0 && tool.amount_unit == "EUR"')).toBe(true);
    expect(yes('tool.resource == ["/path"] && tool.undo == "refund"')).toBe(true);
    expect(yes('tool.destinations == ["/to", "/iban"] && tool.destination_kinds == ["", "iban"]')).toBe(true);
    expect(yes('tool.price_usd < 0.01', {}, { priceUsd: 0.002 })).toBe(true);
    expect(yes('tool.pinned', {}, { pinned: true })).toBe(true);
    expect(yes('!has(tool.pinned) && !has(tool.price_usd) && !has(tool.amount)', {})).toBe(true);
    expect(yes('tool.amount == 99.5', { sum: '99.50' })).toBe(true);
    const last_at = new Map([['bash', epochMs(snapshot().now - 2000)]]);
    expect(yes('run.last("bash") == 2.0 && run.last("ls") > 1e9', {}, {}, { last_at })).toBe(true);
    expect(yes('run.last("bash") == 2.0', {}, {}, { last_at, forgotten: true })).toBe(true);
  });

  it('that are not there break the condition', () => {
    for (const when of ['tool.amount > 1.0', 'tool.price_usd > 1.0', 'run.last("bash") > 1.0', 'tool.pinned'])
      expect(ask(when, {})).toBe('runtime_error:condition_failed');
    expect(ask('!tool.pinned', {})).toBe('runtime_error:condition_failed');
    expect(ask('tool.amount > 1.0', { sum: '1e3' })).toBe('runtime_error:condition_failed');
    expect(ask('run.last("ls") > 1.0', {}, {}, { last_at: new Map(), forgotten: true })).toBe(
      'runtime_error:condition_failed',
    );
  });
});

describe('relevance', () => {
  it('leaves out rules that have expired, where the time is known', () => {
    const j = judge(rule('r', 'verdict: deny, expires: 2026-01-01'));
    const any = (now?: number): boolean =>
      j.relevance({ point: 'pre_tool_call', agent: 'a', tenant: 't', now: now as never }).any;
    expect([any(), any(Date.UTC(2025, 11, 31)), any(Date.UTC(2026, 0, 2))]).toEqual([true, true, false]);
  });
});
