import { describe, expect, it } from 'vitest';
import { nano } from '../../../gateway/domain/scalars.ts';
import type { Metrics } from '../../../gateway/ports/metrics.ts';
import { createMetrics } from '../../../gateway/telemetry/metrics.ts';

type Done = Parameters<Metrics['call']>[0];

const done = (more: Partial<Done> = {}): Done => ({
  upstream: 'openai',
  dialect: 'openai-chat',
  model: 'gpt-x',
  status: 200,
  ending: 'complete',
  seconds: 0.2,
  cost: nano(1_500_000n),
  tokens: { input: 100, output: 20, cache_read: 7, cache_write: 0 },
  agent: 'a1',
  tenant: 't1',
  ...more,
});

const linesOf = async (metrics: ReturnType<typeof createMetrics>): Promise<string[]> =>
  (await metrics.scrape()).body.split('\n').filter((line) => line.startsWith('tollgate_'));

describe('createMetrics', () => {
  it('counts a call, its tokens, its money and its time', async () => {
    const metrics = createMetrics();
    metrics.call(done());
    metrics.call(done());
    metrics.call(
      done({
        status: 403,
        ending: 'denied',
        cost: nano(0n),
        tokens: { input: 0, output: 0, cache_read: 0, cache_write: 0 },
      }),
    );
    metrics.overhead(0.00007);
    const lines = await linesOf(metrics);
    expect(lines).toEqual(
      expect.arrayContaining([
        'tollgate_calls_total{upstream="openai",dialect="openai-chat",model="gpt-x",status_class="2xx",ending="complete"} 2',
        'tollgate_calls_total{upstream="openai",dialect="openai-chat",model="gpt-x",status_class="4xx",ending="denied"} 1',
        'tollgate_tokens_total{upstream="openai",model="gpt-x",kind="input"} 200',
        'tollgate_tokens_total{upstream="openai",model="gpt-x",kind="output"} 40',
        'tollgate_tokens_total{upstream="openai",model="gpt-x",kind="cache_read"} 14',
        'tollgate_cost_usd_total{upstream="openai",model="gpt-x",agent="a1",tenant="t1"} 0.003',
        'tollgate_call_duration_seconds_count{upstream="openai",model="gpt-x"} 3',
        'tollgate_overhead_seconds_bucket{le="0.0001"} 1',
      ]),
    );
    expect(lines.some((line) => line.includes('cache_write'))).toBe(false);
  });

  it('a second scrape shows the same counts', async () => {
    const metrics = createMetrics();
    metrics.call(done());
    expect(await linesOf(metrics)).toEqual(await linesOf(metrics));
  });

  it('counts everything else under the name that dashboards know', async () => {
    const metrics = createMetrics();
    metrics.decision('pre_tool_call', 'deny', 'starter/no-shell');
    metrics.decision('output', 'allow', undefined);
    metrics.fault('TG_BAD_KEY');
    metrics.identityConflict('run');
    metrics.overrun(nano(2_000_000_000n));
    metrics.inFlight(1);
    metrics.inFlight(1);
    metrics.inFlight(-1);
    metrics.shipped('http', 10);
    metrics.shipped('http', 5);
    metrics.shipLag('http', 3);
    metrics.shipFailure('http');
    metrics.reload('policy', true);
    metrics.reload('prices', false);
    metrics.spoolHealthy(true);
    metrics.unpoliced(false);
    expect(await linesOf(metrics)).toEqual(
      expect.arrayContaining([
        'tollgate_decisions_total{point="pre_tool_call",decision="deny",rule="starter/no-shell"} 1',
        'tollgate_decisions_total{point="output",decision="allow",rule=""} 1',
        'tollgate_faults_total{code="TG_BAD_KEY"} 1',
        'tollgate_identity_conflict_total{kind="run"} 1',
        'tollgate_budget_overrun_usd_total 2',
        'tollgate_in_flight_calls 1',
        'tollgate_shipped_lines_total{sink="http"} 15',
        'tollgate_ship_lag_lines{sink="http"} 3',
        'tollgate_ship_failures_total{sink="http"} 1',
        'tollgate_reloads_total{what="policy",result="ok"} 1',
        'tollgate_reloads_total{what="prices",result="failed"} 1',
        'tollgate_spool_healthy 1',
        'tollgate_unpoliced 0',
      ]),
    );
  });

  it('bounds labels that callers choose and loses no count', async () => {
    const metrics = createMetrics();
    for (let i = 0; i < 1_000; i += 1) metrics.call(done({ model: `m${i}`, agent: `a${i}`, tenant: `t${i}` }));
    const calls = (await linesOf(metrics)).filter((line) => line.startsWith('tollgate_calls_total'));
    expect(calls.length).toBe(201);
    expect(calls.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)).toBe(1_000);
    expect(calls.find((line) => line.includes('model="other"'))).toMatch(/ 800$/);
  });

  it('a model that was never served earns no label, nor does a name without end', async () => {
    const metrics = createMetrics();
    metrics.call(done({ model: 'made-up', status: 404 }));
    metrics.call(done({ model: 'x'.repeat(10_000) }));
    const calls = (await linesOf(metrics)).filter((line) => line.startsWith('tollgate_calls_total'));
    expect(calls.every((line) => line.includes('model="other"'))).toBe(true);
  });

  it('keeps apart from other registries, tells of the process, and names its format', async () => {
    const [one, other] = [createMetrics(), createMetrics()];
    one.fault('TG_INTERNAL');
    expect((await linesOf(other)).some((line) => line.startsWith('tollgate_faults_total{'))).toBe(false);
    const { contentType, body } = await one.scrape();
    expect(contentType).toContain('text/plain');
    expect(body).toContain('process_cpu_seconds_total');
    for (const help of body.split('\n').filter((line) => line.startsWith('# HELP tollgate_'))) {
      expect(help).toMatch(/^# HELP tollgate_[a-z_]+ \S/);
    }
  });
});
