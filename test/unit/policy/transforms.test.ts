import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../gateway/domain/json.ts';
import { spliceAll } from '../../../gateway/domain/json-splice.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import type { Verdict } from '../../../gateway/domain/verdict.ts';
import { applyEdits } from '../../../gateway/policy/apply-edits.ts';
import { failed, found, judge, parts, rule, snapshot } from './_judging.ts';

type Findings = readonly ReturnType<typeof found>[];

function run(
  transforms: string | readonly string[],
  target: Json,
  more: { findings?: Findings; frozen?: string[]; point?: string } = {},
): Verdict & { after: Json } {
  const rules = [transforms]
    .flat()
    .map((t, i) => rule(`r${i}`, `at: ${more.point ?? 'pre_tool_call'}, verdict: transform, transform: ${t}`));
  const action = { point: (more.point ?? 'pre_tool_call') as 'input', target, parts: parts(target, more.frozen) };
  const verdict = judge(rules.join('')).evaluate(snapshot({ action, findings: more.findings ?? [] }));
  return { ...verdict, after: applyEdits(target, verdict.edits) };
}

describe('set', () => {
  it.each<[string, Json, Json]>([
    ['[{ set: /limit, to: 10 }]', { limit: 5000 }, { limit: 10 }],
    ['[{ set: /limit, to: 10 }]', {}, { limit: 10 }],
    ['[{ set: /a/b, to: { c: [1, null] } }]', { a: { x: 1 } }, { a: { x: 1, b: { c: [1, null] } } }],
    ['[{ set: /items/0, to: 9 }]', { items: [1, 2] }, { items: [9, 2] }],
    [
      '[{ set: "/items/*/price", to: 0 }]',
      { items: [{ price: 4 }, { name: 'x' }] },
      { items: [{ price: 0 }, { name: 'x', price: 0 }] },
    ],
    ['[{ set: "/items/*", to: 0 }]', { items: [1, 2] }, { items: [0, 0] }],
    ['[{ set: "/items/*/x", to: 0 }]', { items: [] }, { items: [] }],
    ['[{ set: "/a~1b/~0", to: 1 }]', { 'a/b': {} }, { 'a/b': { '~': 1 } }],
    ['[{ set: /n, to: 1 }, { set: /m, to: 2 }, { set: /n, to: 3 }]', {}, { n: 3, m: 2 }],
  ])('%s on %j', (transforms, target, after) => {
    expect(run(transforms, target)).toMatchObject({ decision: 'transform', after });
  });

  it.each<[string, Json]>([
    ['[{ set: /a/b, to: 1 }]', {}],
    ['[{ set: /a/b, to: 1 }]', { a: 'text' }],
    ['[{ set: /items/2, to: 1 }]', { items: [1, 2] }],
    ['[{ set: /items/x, to: 1 }]', { items: [1, 2] }],
    ['[{ set: "/items/*/x", to: 1 }]', { items: [{}, 5] }],
    ['[{ set: /a, to: 1 }]', 'a text'],
  ])('%s on %j has nowhere to land: denied', (transforms, target) => {
    expect(run(transforms, target)).toMatchObject({
      decision: 'deny',
      rule: 't/r0',
      reason: 'runtime_error:transform_failed',
      edits: [],
    });
  });

  it('of what is already so makes no edit', () => {
    expect(run('[{ set: /a, to: { x: [1] } }]', { a: { x: [1] } }).edits).toEqual([]);
  });
});

describe('remove', () => {
  it.each<[string, Json, Json]>([
    ['[{ remove: /a }]', { a: 1, b: 2 }, { b: 2 }],
    ['[{ remove: /a/1 }]', { a: [1, 2, 3] }, { a: [1, 3] }],
    ['[{ remove: "/a/*" }]', { a: [1, 2, 3] }, { a: [] }],
    ['[{ remove: "/a/*/x" }]', { a: [{ x: 1 }, { y: 1 }] }, { a: [{}, { y: 1 }] }],
    ['[{ remove: /gone }, { remove: /gone/deeper }]', { a: 1 }, { a: 1 }],
  ])('%s on %j', (transforms, target, after) => {
    expect(run(transforms, target)).toMatchObject({ decision: 'transform', after });
  });
});

describe('replace, truncate, allow_only', () => {
  it.each<[string, Json, Json]>([
    ['[{ replace: "a+", with: "$0" }]', { x: 'caat', y: ['banana', 5] }, { x: 'c$0t', y: ['b$0n$0n$0', 5] }],
    ['[{ replace: "a", with: b, in: /x }]', { x: 'a', y: 'a' }, { x: 'b', y: 'a' }],
    ['[{ truncate: /x, to: 3 }]', { x: 'abcdef' }, { x: 'abc' }],
    ['[{ truncate: /x, to: 2 }]', { x: 'a😀b' }, { x: 'a' }],
    [
      '[{ truncate: "/m/*/content", to: 1 }]',
      { m: [{ content: 'ab' }, { content: 'c' }] },
      { m: [{ content: 'a' }, { content: 'c' }] },
    ],
    ['[{ truncate: /gone, to: 3 }]', { x: 'abcdef' }, { x: 'abcdef' }],
    [
      '[{ allow_only: /fields, of: [id, name] }]',
      { fields: ['id', 'ssn', 'name', { a: 1 }] },
      { fields: ['id', 'name'] },
    ],
    ['[{ allow_only: "", of: [q] }]', { q: 'x', raw: true, n: 1 }, { q: 'x' }],
    ['[{ allow_only: /gone, of: [q] }]', { q: 'x' }, { q: 'x' }],
  ])('%s on %j', (transforms, target, after) => {
    expect(run(transforms, target)).toMatchObject({ decision: 'transform', after });
  });

  it.each<[string, Json]>([
    ['[{ truncate: /x, to: 3 }]', { x: [1, 2, 3, 4] }],
    ['[{ allow_only: /x, of: [a] }]', { x: 'text' }],
    ['[{ replace: a, with: b, in: /x }]', { x: 5 }],
  ])('%s on %j has nowhere to land: denied', (transforms, target) => {
    expect(run(transforms, target)).toMatchObject({ decision: 'deny', reason: 'runtime_error:transform_failed' });
  });
});

describe('cap', () => {
  const cap = (...to: string[]): Verdict['cap'] =>
    run(
      to.map((t) => `[{ cap: output_tokens, to: ${t} }]`),
      {},
      { point: 'pre_model_call' },
    ).cap;
  it('the least number wins; a number is tighter than what is affordable', () => {
    expect([
      cap('100'),
      cap('300', '200', '250'),
      cap('affordable'),
      cap('affordable', '50'),
      cap('50', 'affordable'),
    ]).toEqual([100, 200, 'affordable', 50, 50]);
  });
});

describe('redact', () => {
  const KEY = 'AKIA1234';
  const target = { a: `key ${KEY}.`, b: [`${KEY}`] };
  const findings = [found('secret.aws_access_key', '/a', 4, 12), found('secret.aws_access_key', '/b/0', 0, 8)];

  it.each<[string, Json]>([
    ['token', { a: 'key <AWS_ACCESS_KEY_1>.', b: ['<AWS_ACCESS_KEY_1>'] }],
    ['mask', { a: 'key ********.', b: ['********'] }],
    ['drop', { a: 'key .', b: [''] }],
  ])('as %s', (as, after) => {
    expect(run(`[{ redact: secret.*, as: ${as} }]`, target, { findings })).toMatchObject({
      decision: 'transform',
      after,
    });
  });

  it('as hash: the same value in one run has one name, another run another', () => {
    const hashed = run('[{ redact: secrets, as: hash }]', target, { findings }).after as { a: string; b: string[] };
    expect(hashed.a).toMatch(/^key \[redacted:secret\.aws_access_key:[0-9a-f]{12}\]\.$/);
    expect(hashed.a).toContain(hashed.b[0] as string);
    const j = judge(rule('r', 'verdict: transform, transform: [{ redact: secrets, as: hash }]'));
    const other = j.evaluate(snapshot({ action: { target, parts: parts(target) }, findings, run: { id: 'run-2' } }));
    expect(JSON.stringify(other.edits)).not.toContain((hashed.b[0] as string).slice(-13));
  });

  it('only what is named', () => {
    const mixed = [found('secret.jwt', '/a', 0, 3), found('pii.email', '/a', 4, 12)];
    expect(run('[{ redact: pii.email }]', target, { findings: mixed }).after).toEqual({
      a: 'key <EMAIL_1>.',
      b: [KEY],
    });
    expect(run('[{ redact: [pii.*, secret.jwt], as: drop }]', target, { findings: mixed }).after).toEqual({
      a: ' .',
      b: [KEY],
    });
  });

  it('several rules: one edit per part, overlaps cut once, whatever the order of the findings', () => {
    const overlapping = [
      found('pii.email', '/a', 6, 12),
      found('secret.jwt', '/a', 4, 8),
      found('secret.jwt', '/a', 4, 6),
    ];
    const rules = ['[{ redact: secret.* }]', '[{ redact: pii.*, as: mask }]'];
    for (const order of [overlapping, [...overlapping].reverse()]) {
      const got = run(rules, target, { findings: order });
      expect(got.edits).toEqual([{ op: 'set', at: '/a', value: 'key <JWT_1>.' }]);
    }
  });

  it('the whole target where it is a text', () => {
    expect(run('[{ redact: secret.* }]', 'x AKIA', { findings: [found('secret.jwt', '', 2, 6)] }).after).toBe(
      'x <JWT_1>',
    );
  });

  it('comes before the other changes, which see the redacted text', () => {
    const got = run(
      ['[{ replace: "AWS_ACCESS", with: "GONE" }]', '[{ redact: secret.* }]', '[{ set: /b, to: [] }]'],
      target,
      { findings },
    );
    expect(got.after).toEqual({ a: 'key <GONE_KEY_1>.', b: [] });
  });

  it.each<[string, Findings, string[], string]>([
    ['a frozen part', findings, ['/a'], 'runtime_error:transform_failed'],
    ['a place that is no part', [found('secret.jwt', '/zzz', 0, 1)], [], 'runtime_error:transform_failed'],
    ['offsets outside the text', [found('secret.jwt', '/a', 0, 999)], [], 'runtime_error:transform_failed'],
    ['offsets the wrong way round', [found('secret.jwt', '/a', 3, 2)], [], 'runtime_error:transform_failed'],
    ['a detector that failed', [failed('secrets')], [], 'runtime_error:detector_failed'],
  ])('%s: denied', (_, bad, frozen, reason) => {
    const got = run('[{ redact: secret.* }]', target, { findings: bad, frozen });
    expect(got).toMatchObject({ decision: 'deny', rule: 't/r0', reason, edits: [] });
    expect(got.hits).toMatchObject([{ rule: 't/r0', error: reason }]);
    expect(got.message).not.toContain(KEY);
  });

  it('leaves a frozen part alone where nothing was found in it', () => {
    expect(
      run('[{ redact: secret.* }]', target, { findings: [findings[1] as Findings[0]], frozen: ['/a'] }).decision,
    ).toBe('transform');
  });

  it('is deterministic and idempotent', () => {
    const once = run('[{ redact: secret.* }]', target, { findings }).after as { a: string };
    expect(run('[{ redact: secret.* }]', target, { findings }).after).toEqual(once);
    // A detector that takes a token of ours for a secret finds the same token again.
    const again = run(
      '[{ redact: secret.* }]',
      { a: once.a },
      { findings: [found('secret.aws_access_key', '/a', 4, once.a.length - 1)] },
    );
    expect(again.after).toEqual({ a: once.a });
    expect(again.edits).toEqual([]);
  });
});

describe('frozen parts', () => {
  const target = { content: [{ thinking: 'signed' }, { text: 'a' }, { thinking: 'signed too' }] };
  const frozen = ['/content/0/thinking', '/content/2/thinking'];
  it.each([
    ['[{ set: /content/0/thinking, to: x }]', 'deny'],
    ['[{ set: /content/0, to: x }]', 'deny'],
    ['[{ remove: /content }]', 'deny'],
    ['[{ remove: /content/2/thinking }]', 'deny'],
    ['[{ set: /content/1/text, to: b }]', 'transform'],
    ['[{ remove: /content/1 }]', 'transform'],
    ['[{ remove: /content/1 }, { set: /content/1, to: x }]', 'deny'],
    ['[{ remove: /content/1 }, { set: /content/1/note, to: x }]', 'transform'],
    ['[{ replace: signed, with: x }]', 'transform'],
  ])('%s → %s', (transforms, decision) => {
    expect(run(transforms, target, { frozen }).decision).toBe(decision);
  });
});

describe('applyEdits', () => {
  it('makes the edits that splicing the text makes, byte for byte in value', () => {
    const key = fc.constantFrom('a', 'b', 'c/d', '~');
    const json: fc.Arbitrary<Json> = fc.letrec<{ v: Json }>((tie) => ({
      v: fc.oneof(
        { depthSize: 'small' },
        fc.integer(),
        fc.constantFrom<Json>('x', null, true),
        fc.array(tie('v'), { maxLength: 3 }),
        fc.dictionary(key, tie('v'), { maxKeys: 3, noNullPrototype: true }),
      ),
    })).v;
    const pointer = fc
      .array(fc.constantFrom('a', 'b', 'c~1d', '~0', '0', '1'), { minLength: 1, maxLength: 3 })
      .map((t) => `/${t.join('/')}`);
    fc.assert(
      fc.property(json, pointer, fc.boolean(), (target, at, remove) => {
        const edits = [remove ? ({ op: 'remove', at } as const) : ({ op: 'set', at, value: 7 } as const)];
        let expected: Json | undefined;
        try {
          expected = parseStrict(
            spliceAll(JSON.stringify(target), [remove ? { at, remove: true } : { at, json: '7' }]),
          ).value;
        } catch (error) {
          if (!(error instanceof RangeError)) throw error;
        }
        if (expected === undefined) expect(() => applyEdits(target, edits)).toThrow(RangeError);
        else expect(applyEdits(target, edits)).toEqual(expected);
      }),
      { numRuns: 1500 },
    );
  });

  it('shares what it does not touch and leaves the target as it was', () => {
    const target = { a: { deep: [1] }, b: { x: 1 } };
    const before = JSON.stringify(target);
    const after = applyEdits(target, [{ op: 'set', at: '/b/x', value: 2 }]) as typeof target;
    expect(after.a).toBe(target.a);
    expect(JSON.stringify(target)).toBe(before);
    expect(applyEdits(target, [])).toBe(target);
  });

  it('can set a member called __proto__ without touching any prototype', () => {
    const after = applyEdits({}, [{ op: 'set', at: '/__proto__', value: { polluted: true } }]);
    expect(Object.hasOwn(after as object, '__proto__')).toBe(true);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});
