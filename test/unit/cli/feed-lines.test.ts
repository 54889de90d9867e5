import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { costText, countText, tokenText, usdText } from '../../../gateway/cli/feed/amounts.ts';
import type { Call, CallAction, Run } from '../../../gateway/cli/feed/call.ts';
import { callHeader, callLine } from '../../../gateway/cli/feed/call-line.ts';
import { headlineOf } from '../../../gateway/cli/feed/headline.ts';
import { runTable } from '../../../gateway/cli/feed/run-table.ts';
import { usdToNano } from '../../../gateway/domain/money.ts';
import type { CallId } from '../../../gateway/domain/scalars.ts';

const action = (more: Partial<CallAction>): CallAction => ({
  point: 'pre_tool_call',
  tool: 'bash',
  decision: 'allow',
  rule: null,
  reason: null,
  findings: {},
  ...more,
});

const call = (more: Partial<Call> = {}): Call => ({
  id: 'call_1' as CallId,
  at: '2026-11-22T10:20:30.000Z',
  tenant: 'default',
  human: null,
  agent: 'ops',
  run: 'r2',
  step: 2,
  attempt: 1,
  upstream: 'anthropic',
  dialect: 'anthropic-messages',
  model: 'claude-sonnet-5-5',
  stream: true,
  status: 200,
  ending: 'completed',
  fault: null,
  actions: [],
  usage: { input: 173, output: 29, cache_read: 0, cache_write: 0 },
  certainty: 'exact',
  cost_usd: '0.000636',
  cost_status: 'exact',
  latency_ms: 12,
  ttfb_ms: 4,
  ...more,
});

const DENIED = call({
  actions: [
    action({ point: 'pre_model_call', tool: null }),
    action({ decision: 'deny', rule: 'starter/no-root-delete', reason: 'destructive_command' }),
    action({ tool: 'ls' }),
  ],
});
const REDACTED = call({
  actions: [
    action({
      point: 'post_tool_call',
      tool: 'read_ticket',
      decision: 'transform',
      rule: 'starter/hide-secrets',
      findings: { 'secret.aws_access_key': 1 },
    }),
  ],
});
const HALTED = call({
  status: 402,
  ending: 'denied',
  fault: 'TG_BUDGET_EXCEEDED',
  actions: [
    action({ point: 'pre_model_call', tool: null, decision: 'deny', rule: 'budget/run', reason: 'budget_exceeded' }),
  ],
  usage: { input: 0, output: 0, cache_read: 0, cache_write: 0 },
  cost_usd: '0',
});

describe('the headline of a call', () => {
  it('is the strictest verdict, with its tool, rule and reason', () => {
    expect(headlineOf(DENIED)).toEqual({
      action: '→bash',
      word: 'DENY',
      tone: 'bad',
      rule: 'starter/no-root-delete',
      note: 'destructive_command',
      more: 0,
    });
  });

  it('says redact where a transform hid something, and edit where it did not', () => {
    expect(headlineOf(REDACTED)).toMatchObject({
      action: '←read_ticket',
      word: 'redact',
      note: 'secret.aws_access_key',
    });
    expect(headlineOf(call({ actions: [action({ decision: 'transform', rule: 'x/cap' })] }))).toMatchObject({
      word: 'edit',
    });
  });

  it('names an allowed call by what its answer proposes', () => {
    expect(headlineOf(call({ actions: [action({}), action({ tool: 'ls' })] }))).toMatchObject({
      action: '→bash →ls',
      word: 'allow',
    });
    expect(headlineOf(call({ actions: [action({ point: 'output', tool: null })] }))).toMatchObject({
      action: 'text',
      word: 'allow',
    });
  });

  it('says that a budget halted the run', () => {
    expect(headlineOf(HALTED)).toMatchObject({ action: 'model call', word: 'HALT', rule: 'budget/run' });
  });

  it('does not put a denial down to a rule that only edited', () => {
    const denied = call({ ...REDACTED, status: 403, ending: 'denied', fault: 'TG_POLICY_DENIED' });
    expect(headlineOf(denied)).toMatchObject({ word: 'DENY', rule: '', note: 'TG_POLICY_DENIED' });
  });

  it('counts further verdicts of the same call', () => {
    const both = call({ actions: [...REDACTED.actions, ...DENIED.actions] });
    expect(headlineOf(both)).toMatchObject({ word: 'DENY', more: 1 });
  });

  it.each([
    ['upstream_error', 429, null, 'error 429'],
    ['upstream_broke', 200, 'TG_UPSTREAM_BROKE', 'broken'],
    ['client_left', 0, null, 'left'],
    ['refused', 401, 'TG_NO_KEY', 'error 401'],
    ['lapsed', 0, null, 'lapsed'],
  ] as const)('shows how a call that ended `%s` failed', (ending, status, fault, word) => {
    expect(headlineOf(call({ ending, status, fault }))).toMatchObject({ word, note: fault ?? '' });
  });
});

describe('a call line', () => {
  const total = usdToNano('0.0459');

  it('holds agent, run, step, action, verdict, rule, tokens, cost and running total', () => {
    const line = callLine(DENIED, { width: 120, colour: false, total });
    for (const part of ['ops/r2', '#2', '→bash', 'DENY', 'starter/no-root-delete', '173→29', '$0.0006', '$0.0459'])
      expect(line).toContain(part);
  });

  it.each([60, 72, 80, 99, 100, 120, 200])('fills exactly %i columns, as its header does', (width) => {
    for (const one of [DENIED, REDACTED, HALTED, call()]) {
      expect([...callLine(one, { width, colour: false, total })]).toHaveLength(width);
      expect([...callLine(one, { width, colour: false })]).toHaveLength(width);
    }
    expect([...callHeader({ width, colour: false, total })]).toHaveLength(width);
  });

  it('keeps verdict and rule whole in 80 columns', () => {
    expect(callLine(DENIED, { width: 80, colour: false, total })).toContain('DENY no-root-delete ');
    expect(callLine(REDACTED, { width: 80, colour: false, total })).toContain('←read_ticket redact hide-secrets ');
    expect(callLine(HALTED, { width: 80, colour: false, total })).toContain('HALT budget/run ');
  });

  it('shortens long names and never its amounts', () => {
    const long = call({ agent: 'a'.repeat(60), run: 'r'.repeat(60), actions: [action({ tool: 't'.repeat(90) })] });
    const line = callLine(long, { width: 80, colour: false, total });
    expect([...line]).toHaveLength(80);
    expect(line).toMatch(/173→29 \$0\.0006 \$0\.0459$/);
  });

  it('has escape codes only with colour', () => {
    const plain = callLine(DENIED, { width: 120, colour: false, total });
    const coloured = callLine(DENIED, { width: 120, colour: true, total });
    expect(plain).not.toContain('\x1b');
    expect(coloured).toContain('\x1b[1;31mDENY');
    expect(stripVTControlCharacters(coloured)).toBe(plain);
  });

  it('lets no name move the cursor, break the line or turn the writing direction', () => {
    const evil = 'a\x1b[2J\r\n\u202e\u2028b';
    const line = callLine(
      call({ agent: evil, run: evil, actions: [action({ tool: evil, decision: 'deny', rule: evil, reason: evil })] }),
      {
        width: 200,
        colour: false,
      },
    );
    expect(line).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
  });
});

describe('amounts', () => {
  it.each([
    ['0', '$0'],
    ['0.000000001', '<$0.0001'],
    ['0.000049', '<$0.0001'],
    ['0.00005', '$0.0001'],
    ['0.0021', '$0.0021'],
    ['0.99996', '$1.0000'],
    ['6.6', '$6.6000'],
    ['123.456', '$123.46'],
  ])('%s is shown as %s', (amount, text) => {
    expect(usdText(usdToNano(amount))).toBe(text);
  });

  it.each([
    [0, '0'],
    [9999, '9999'],
    [12_345, '12.3k'],
    [100_000, '100k'],
    [999_949, '1000k'],
    [999_950, '1M'],
    [1_250_000, '1.3M'],
  ])('%i tokens are shown as %s', (count, text) => {
    expect(countText(count)).toBe(text);
  });

  it('counts cache reads and writes as input', () => {
    expect(tokenText({ input: 1, cache_read: 20, cache_write: 300, output: 4 })).toBe('321→4');
    expect(tokenText({ input: 0, cache_read: 0, cache_write: 0, output: 0 })).toBe('-');
  });

  it('marks an estimate, and never shows a missing price as nothing', () => {
    expect(costText(call({ cost_status: 'estimated' }))).toBe('~$0.0006');
    expect(costText(call({ cost_status: 'unpriced', cost_usd: '0' }))).toBe('unpriced');
  });
});

describe('a run table', () => {
  const step = (number: number, cost: string, more: Partial<Call> = {}): Call =>
    call({ id: `call_${number}_${cost}` as CallId, step: number, cost_usd: cost, ...more });
  const run: Run = {
    id: 'r2',
    tenant: 'default',
    human: 'mia',
    agent: 'ops',
    calls: 5,
    cost_usd: '6.6',
    first_at: '2026-11-22T10:20:30.000Z',
    last_at: '2026-11-22T10:21:30.000Z',
    steps: [
      step(1, '0.2', { actions: [action({ tool: 'search' }), action({ tool: 'ls' }), action({ tool: 'ls' })] }),
      step(2, '2', { attempt: 1, ending: 'upstream_broke' }),
      step(2, '4', { attempt: 2, actions: [action({ tool: 'read_all' })] }),
      step(3, '0.4', { actions: DENIED.actions }),
      step(4, '0', { ...HALTED, step: 4 }),
    ],
    caused: [],
  };

  it('says which step burned $6 of the $6.60', () => {
    const lines = runTable(run, { width: 120, colour: false }).split('\n');
    expect(lines[0]).toContain('run r2 · agent ops · human mia · tenant default · 5 calls · $6.6000');
    const dearest = lines.filter((line) => line.endsWith('◀'));
    expect(dearest).toHaveLength(1);
    expect(dearest[0]).toMatch(/#2 .*→read_all ×2 model call broken .* \$6\.0000 +91% ◀$/);
    expect(lines.at(-1)).toBe('step 2 cost $6.0000 of the $6.6000 (91%)');
  });

  it('is one row per step, with model, tokens, verdict and share', () => {
    const lines = runTable(run, { width: 120, colour: false }).split('\n');
    expect(lines.filter((line) => /#\d/.test(line))).toHaveLength(4);
    expect(lines.find((line) => line.includes('#1'))).toMatch(/claude-sonnet-5-5 +→search →ls +173→29/);
    expect(lines.find((line) => line.includes('#3'))).toMatch(
      /claude-sonnet-5-5 .*→bash.*DENY starter\/no-root-delete.*173→29 +\$0\.4000 +6%/,
    );
    expect(lines.find((line) => line.includes('#4'))).toMatch(/HALT budget\/run.*\$0 +0%/);
  });

  it.each([60, 80, 109, 110, 120])('fits %i columns, every row of it equally wide', (width) => {
    const lines = runTable(run, { width, colour: false }).split('\n');
    for (const line of lines) expect([...line].length).toBeLessThanOrEqual(width);
    const rows = lines.slice(1, -1).map((line) => [...line.replace(/ ◀$/, '')].length);
    expect(new Set(rows).size).toBe(1);
  });

  it('keeps verdict and rule whole in 80 columns', () => {
    const text = runTable(run, { width: 80, colour: false });
    expect(text).toMatch(/→ls →bash DENY no-root-delete /);
    expect(text).toMatch(/model call HALT budget\/run /);
  });

  it('has escape codes only with colour', () => {
    const plain = runTable(run, { width: 100, colour: false });
    const coloured = runTable(run, { width: 100, colour: true });
    expect(plain).not.toContain('\x1b');
    expect(coloured).toContain('\x1b[1;31mDENY');
    expect(stripVTControlCharacters(coloured)).toBe(plain);
  });

  it('claims no dearest step where nothing was spent', () => {
    const free = runTable({ ...run, cost_usd: '0', steps: [step(1, '0')] }, { width: 100, colour: false });
    expect(free).not.toContain('◀');
    expect(free).not.toContain(' cost $');
  });

  it('keeps calls that were refused before they became a step apart', () => {
    const refused = [
      step(0, '0', { status: 401, ending: 'refused' }),
      step(0, '0', { status: 400, ending: 'refused' }),
    ];
    const lines = runTable({ ...run, steps: refused }, { width: 120, colour: false }).split('\n');
    expect(lines.filter((line) => / error 40[01]/.test(line))).toHaveLength(2);
  });
});
