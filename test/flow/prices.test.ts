import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { SealEntry } from '../../gateway/domain/receipt.ts';
import type { CallId } from '../../gateway/domain/scalars.ts';
import { openReadOnly } from '../../gateway/stores/embedded/open-embedded.ts';
import { eventually } from '../support/eventually.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { completion, json, startUpstream, type TestUpstream } from '../support/upstream.ts';

const POLICY = `
policy: tollgate/v1
name: test
default: allow
rules:
  - id: dear-tools
    at: pre_tool_call
    when: has(tool.price_usd) && tool.price_usd > 0.05
    verdict: deny
    reason: too_dear
  - id: unpriced-tools
    at: pre_tool_call
    tools: [mystery]
    when: '!has(tool.price_usd)'
    verdict: deny
    reason: no_price
`;

const tools = (perCall: string, perPage: string): string => `currency: USD
tools:
  - tool: render
    checked: 2026-11-22
    rows:
      - from: 2026-01-01
        per_call: "${perCall}"
        units: [{ unit: page, in: arguments, at: /pages, usd: "${perPage}", max: 100 }]
`;

/** the machine that runs the tests may be busy */
let gate: TestGate;
let upstream: TestUpstream;
let pricing: string;
let made: number;
let proposed: { name: string; args: unknown };

beforeEach(async () => {
  made = 0;
  pricing = mkdtempSync(join(tmpdir(), 'tollgate-pricing-'));
  cpSync('pricing', pricing, { recursive: true });
  writeFileSync(join(pricing, 'tools.yaml'), tools('0.01', '0.001'));
  upstream = await startUpstream((_request, response) => {
    const { name, args } = proposed;
    const call = { id: 'call_1', type: 'function', function: { name, arguments: JSON.stringify(args) } };
    json(response, 200, completion({ tool_calls: [call] }));
  });
  gate = await startTestGate({
    policy: POLICY,
    upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } },
    config: { pricing },
  });
});

afterEach(async () => {
  await gate.remove();
  await upstream.close();
  rmSync(pricing, { recursive: true, force: true });
});

/** What becomes of a tool call that the model proposes: the call's own name, or the text of the denial. */
async function propose(name: string, args: unknown): Promise<string> {
  proposed = { name, args };
  made += 1;
  const response = await fetch(`${gate.url}/openai/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer own' },
    body: JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'go on' }] }),
  });
  const { choices } = (await response.json()) as {
    choices: [{ message: { content: string | null; tool_calls?: [{ function: { name: string } }] } }];
  };
  const { message } = choices[0];
  return message.tool_calls?.[0].function.name ?? message.content ?? '';
}

/** The record of the newest call, from the index; waits until it is there. */
async function newest(): Promise<SealEntry> {
  const seen = (await gate.sealed(made)).at(-1);
  const opened = openReadOnly(join(gate.folder, 'data', 'tollgate.db'));
  try {
    return await eventually(() => opened.calls.find(seen?.id as CallId));
  } finally {
    opened.close();
  }
}

it('a rule sees what a proposed tool call would cost, arguments counted', async () => {
  expect(await propose('render', { pages: 3 })).toBe('render');
  expect(await propose('render', { pages: 41 })).toMatch(/too_dear/);
  // no count: its bound
  expect(await propose('render', {})).toMatch(/too_dear/);
  // nobody wrote a price: not zero, but not known
  expect(await propose('mystery', {})).toMatch(/no_price/);
});

it('changed tool prices and tables hold for the next call, broken ones for none; each receipt names its prices', async () => {
  expect(await propose('render', { pages: 3 })).toBe('render');
  const before = await newest();
  expect(before.prices).toMatch(/^sha256:[0-9a-f]{64}$/);

  writeFileSync(join(pricing, 'tools.yaml'), tools('0.01', '0.02'));
  await expect.poll(() => propose('render', { pages: 3 })).toMatch(/too_dear/);
  const dearer = await newest();
  expect(dearer.prices).not.toBe(before.prices);

  writeFileSync(join(pricing, 'tools.yaml'), tools('0.01', '0.02').replace('per_call', 'per_cal'));
  const refused = /reloads_total\{what="prices",result="failed"\} 1$/m;
  await expect.poll(async () => (await fetch(`${gate.office}/metrics`)).text()).toMatch(refused);
  expect(await propose('render', { pages: 3 })).toMatch(/too_dear/);
  expect((await newest()).prices).toBe(dearer.prices);

  // the same prices again are the same table
  writeFileSync(join(pricing, 'tools.yaml'), tools('0.01', '0.0010'));
  await expect.poll(() => propose('render', { pages: 3 })).toBe('render');
  expect(await newest()).toMatchObject({ prices: before.prices, cost_usd: before.cost_usd });

  const table = join(pricing, 'openai.yaml');
  const text = readFileSync(table, 'utf8');
  writeFileSync(table, text.replace(/(- id: gpt-4o-mini\n(?: {4}.*\n)*? {8}rates: \{ input: )"0\.15"/, '$1"15"'));
  await expect
    .poll(async () => {
      await propose('render', { pages: 3 });
      return (await newest()).prices;
    })
    .not.toBe(before.prices);
  expect(Number((await newest()).cost_usd)).toBeCloseTo(Number(before.cost_usd) + (20 * (15 - 0.15)) / 1e6, 9);
});
