import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { POINTS } from '../../gateway/domain/action.ts';
import { canonical } from '../../gateway/domain/canonical.ts';
import { FAULTS } from '../../gateway/domain/fault.ts';
import { RUNTIME_ERRORS } from '../../gateway/domain/verdict.ts';
import { actionIdentity } from '../../gateway/pipeline/identities.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { completion, json, startUpstream, type TestUpstream } from '../support/upstream.ts';

// A red pin means: be deliberate, and write the changelog line.

let gate: TestGate;
let upstream: TestUpstream;

beforeAll(async () => {
  upstream = await startUpstream((_r, response) => json(response, 200, completion({ content: 'hi' })));
  gate = await startTestGate({ upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } } });
  const client = new OpenAI({ baseURL: `${gate.url}/run/r1/openai/v1`, apiKey: 'own' });
  await client.chat.completions.create({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'x' }] });
  await gate.sealed(1);
});

afterAll(async () => {
  await gate.remove();
  await upstream.close();
});

describe('what the wire shows', () => {
  it('headers on every answer', async () => {
    const response = await fetch(`${gate.url}/openai/v1/chat/completions`, { method: 'POST', body: '{}' });
    const own = [...response.headers.keys()].filter((name) => name.startsWith('x-'));
    expect(own.sort()).toEqual(['x-should-retry', 'x-tollgate-call', 'x-tollgate-decision']);
    expect(response.headers.get('x-tollgate-call')).toMatch(/^call_[0-9a-z]{26}$/);
  });

  it('/api/calls', async () => {
    const call = (await gate.calls('&run=r1'))[0];
    expect(call).toMatchObject({
      tenant: 'local',
      human: null,
      agent: 'unnamed',
      run: 'r1',
      step: 1,
      upstream: 'openai',
      dialect: 'openai-chat',
      model: 'gpt-4o-mini',
      status: 200,
      usage: { input: 20, output: 10, cache_read: 0, cache_write: 0 },
      cost_usd: '0.000009',
    });
    expect(Object.keys(call ?? {})).toEqual(
      expect.arrayContaining(['id', 'at', 'tenant', 'human', 'agent', 'run', 'step', 'upstream', 'dialect', 'model']),
    );
    expect(Object.keys(call ?? {})).toEqual(
      expect.arrayContaining(['status', 'actions', 'usage', 'cost_usd', 'latency_ms']),
    );
    expect(Object.keys(call?.actions[0] ?? {})).toEqual(['point', 'tool', 'decision', 'rule', 'reason', 'findings']);
  });

  it('/api/runs/<id>', async () => {
    const run = await gate.run('r1');
    expect(run).toMatchObject({ id: 'r1', tenant: 'local', human: null, agent: 'unnamed', cost_usd: '0.000009' });
    expect(run.steps).toHaveLength(1);
  });

  it('health and readiness', async () => {
    expect(await (await fetch(`${gate.office}/healthz`)).json()).toEqual({ status: 'ok' });
    expect(await (await fetch(`${gate.office}/readyz`)).json()).toEqual({ status: 'ready', reasons: [] });
  });

  it('metric names', async () => {
    const text = await (await fetch(`${gate.office}/metrics`)).text();
    const names = [...text.matchAll(/^# TYPE (tollgate_\S+)/gm)].map((match) => match[1]);
    expect(names.sort()).toMatchInlineSnapshot(`
      [
        "tollgate_allowance_usd_total",
        "tollgate_budget_overrun_usd_total",
        "tollgate_budget_threshold_total",
        "tollgate_call_duration_seconds",
        "tollgate_calls_total",
        "tollgate_cost_usd_total",
        "tollgate_decisions_total",
        "tollgate_faults_total",
        "tollgate_grants_total",
        "tollgate_identity_conflict_total",
        "tollgate_in_flight_calls",
        "tollgate_lease_recalls_total",
        "tollgate_open_leases",
        "tollgate_overhead_seconds",
        "tollgate_reloads_total",
        "tollgate_remote_detector_open",
        "tollgate_remote_detector_questions_total",
        "tollgate_shared_store_up",
        "tollgate_ship_failures_total",
        "tollgate_ship_lag_lines",
        "tollgate_shipped_lines_total",
        "tollgate_spool_healthy",
        "tollgate_tokens_total",
        "tollgate_unpoliced",
      ]
    `);
  });
});

describe('codes and words', () => {
  it('faults', () => {
    expect(Object.entries(FAULTS).map(([code, { status }]) => `${status} ${code}`)).toMatchInlineSnapshot(`
      [
        "400 TG_BAD_REQUEST",
        "413 TG_TOO_LARGE",
        "404 TG_UNKNOWN_ROUTE",
        "405 TG_METHOD",
        "501 TG_UPGRADE_REFUSED",
        "426 TG_UPGRADE_REQUIRED",
        "401 TG_NO_KEY",
        "401 TG_BAD_KEY",
        "415 TG_MEDIA_TYPE",
        "403 TG_FOREIGN_ORIGIN",
        "403 TG_SCOPE",
        "404 TG_UNKNOWN_SESSION",
        "403 TG_POLICY_DENIED",
        "402 TG_BUDGET_EXCEEDED",
        "429 TG_RATE_LIMITED",
        "503 TG_KEYS_UNAVAILABLE",
        "503 TG_LEDGER_UNAVAILABLE",
        "503 TG_RECORD_UNAVAILABLE",
        "503 TG_PINS_UNAVAILABLE",
        "503 TG_DRAINING",
        "503 TG_OVERLOADED",
        "502 TG_UPSTREAM_UNREACHABLE",
        "504 TG_UPSTREAM_TIMEOUT",
        "502 TG_UPSTREAM_BROKE",
        "502 TG_UPSTREAM_UNREADABLE",
        "502 TG_UPSTREAM_AUTH",
        "500 TG_INTERNAL",
      ]
    `);
  });

  it('points and reserved reasons', () => {
    expect(POINTS).toEqual([
      'agent_startup',
      'input',
      'pre_model_call',
      'post_model_call',
      'pre_tool_call',
      'post_tool_call',
      'output',
      'agent_shutdown',
    ]);
    expect(RUNTIME_ERRORS).toMatchInlineSnapshot(`
      [
        "runtime_error:condition_failed",
        "runtime_error:step_budget_exceeded",
        "runtime_error:transform_failed",
        "runtime_error:detector_failed",
        "runtime_error:approval_resolver_missing",
        "runtime_error:internal",
      ]
    `);
  });
});

describe('identities', () => {
  // RFC 8785, section 3.2.2 and appendix B
  it.each([
    ['{"b":1,"a":[true,null,"x"]}', '{"a":[true,null,"x"],"b":1}'],
    [
      '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001]}',
      '{"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27]}',
    ],
    [
      '{"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/"}',
      '{"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    ],
    [
      '{"\\u20ac":"Euro","\\r":"CR","\\ufb33":"Hebrew","1":"One","\\ud83d\\ude00":"Emoji","\\u0080":"Control","\\u00f6":"o"}',
      '{"\\r":"CR","1":"One","\u0080":"Control","ö":"o","€":"Euro","😀":"Emoji","\ufb33":"Hebrew"}',
    ],
    ['[-0, 0.0, 1e21, 9007199254740993]', '[0,0,1e+21,9007199254740992]'],
  ])('canonical form of %s', (text, form) => {
    expect(canonical(JSON.parse(text))).toBe(form);
  });

  it('refuses what has no canonical form', () => {
    expect(() => canonical('\ud800')).toThrow(TypeError);
    expect(() => canonical(Number.NaN)).toThrow(TypeError);
  });

  it('of an action', () => {
    const principal = {
      tenant: { id: 'acme', source: 'key', assurance: 'keyed' as const },
      agent: { id: 'bot', source: 'key', assurance: 'keyed' as const },
      run: { id: 'r', source: 'path', assurance: 'asserted' as const },
      conflicts: [],
    };
    const action = { point: 'pre_tool_call' as const, plane: 'llm' as const, tool: { name: 'pay', callId: 'c1' } };
    expect(actionIdentity(action, principal, { amount: 10, to: 'x' })).toMatchInlineSnapshot(
      `"sha256:7d9a7473be1093bea5c974fb46a14e64a7da80948da99500360a8e04f4c04de5"`,
    );
    // neither the run nor the provider's call id nor the order of members makes it another action
    const again = { ...action, tool: { name: 'pay', callId: 'c2' } };
    const elsewhere = { ...principal, run: { ...principal.run, id: 'other' } };
    expect(actionIdentity(again, elsewhere, { to: 'x', amount: 10 })).toBe(
      actionIdentity(action, principal, { amount: 10, to: 'x' }),
    );
  });
});
