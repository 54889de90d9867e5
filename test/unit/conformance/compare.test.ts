import { describe, expect, it } from 'vitest';
import { compare } from '../../conformance/compare.ts';
import { committedReviewed, readReviewed } from '../../conformance/reviewed.ts';
import type { Check, Results } from '../../conformance/suites.ts';

const check = (details: unknown, more: Partial<Check> = {}): Check => ({
  id: 'a-check',
  status: 'SUCCESS',
  timestamp: '2026-11-22T07:00:00.000Z',
  details,
  ...more,
});
const results = (...checks: readonly Check[]): Results => new Map([['scenario', checks]]);
const nothing = readReviewed([]);
const open = (direct: Results, through: Results, reviewed = nothing) =>
  compare('suite', direct, through, reviewed).open.map(({ at }) => at);

describe('comparing the suite direct and through the gate', () => {
  it('finds a value, a member and an item that are not the same', () => {
    const direct = results(check({ text: 'hello', list: [1, 2], kept: { a: 1 } }));
    const through = results(check({ text: 'hallo', list: [1], kept: { a: 1, 'x/y': null } }));
    expect(open(direct, through)).toEqual([
      'a-check/details/kept/x~1y',
      'a-check/details/list/1',
      'a-check/details/text',
    ]);
  });

  it('finds a status that is not the same, and counts it', () => {
    const failed = results(check({}, { status: 'FAILURE', errorMessage: 'no' }));
    const compared = compare('suite', results(check({})), failed, nothing);
    expect(compared).toMatchObject({ scenarios: 1, passedDirect: 1, passedThrough: 0 });
    expect(compared.open.map(({ at }) => at)).toEqual(['a-check/errorMessage', 'a-check/status']);
  });

  it('finds scenarios and checks that only one side ran', () => {
    expect(open(results(check({})), new Map())).toEqual(['']);
    expect(open(results(check({}), check({}, { id: 'b' })), results(check({})))).toEqual(['']);
  });

  it('takes addresses, ids, moments, handles and headers of the connection for the same', () => {
    const said = (port: number, id: string, at: string, session: string, path = '/mcp') => ({
      url: `http://localhost:${port}${path}`,
      event: `${id}::001795332679926_${id}`,
      at,
      subscriptionId: Date.parse(at),
      headers: { date: at, 'keep-alive': id, 'mcp-session-id': session, accept: 'text/event-stream' },
    });
    const direct = said(3000, '6b0d8ea2-3f0c-4c4e-9a63-0f1d3a0f9f10', '2026-11-22T07:00:00.000Z', 'one');
    const through = said(
      4000,
      '1c8a2f64-2b7a-4a0e-8a44-7a6f2f2f9e11',
      '2026-11-22T07:00:01.500Z',
      'two',
      '/mcp/everything',
    );
    expect(open(results(check(direct)), results(check(through)))).toEqual([]);
  });

  it('does not take another text, number or big integer for the same', () => {
    for (const [a, b] of [
      ['id 12', 'id 13'],
      [12, '12'],
      [null, undefined],
      [{ headers: { accept: 'a' } }, { headers: { accept: 'b' } }],
    ])
      expect(open(results(check({ a })), results(check({ a: b })))).toHaveLength(1);
  });
});

describe('the reviewed list', () => {
  const list = [
    { scenario: '{other,scen*}', at: '*/text', direct: '"h*"', through: '"H*"', reason: 'a capital is ours' },
  ];

  it('covers exactly what it says on both sides', () => {
    const pair = (a: unknown, b: unknown) =>
      open(results(check({ text: a })), results(check({ text: b })), readReviewed(list));
    expect(pair('hello', 'Hello')).toEqual([]);
    expect(pair('hello', 'Jello')).toHaveLength(1);
    expect(pair('jello', 'Hello')).toHaveLength(1);
    expect(pair('hello', undefined)).toHaveLength(1);
  });

  it('says which of its entries nothing fits any more', () => {
    const reviewed = readReviewed(list);
    expect(reviewed.unused()).toHaveLength(1);
    open(results(check({ text: 'hello' })), results(check({ text: 'Hello' })), reviewed);
    expect(reviewed.unused()).toEqual([]);
  });

  it('is refused where an entry gives no reason, and is sound as committed', () => {
    expect(() => readReviewed([{ scenario: 'a', at: 'b' }])).toThrow();
    expect(committedReviewed().unused().length).toBeGreaterThan(0);
  });
});
