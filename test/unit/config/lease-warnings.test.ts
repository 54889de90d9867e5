import { describe, expect, it } from 'vitest';
import { leaseWarnings } from '../../../gateway/config/lease-warnings.ts';
import { ConfigFault, loadConfig } from '../../../gateway/config/load.ts';

const warningsOf = (leaseMs: number, budgets: string): readonly string[] =>
  leaseWarnings(
    loadConfig(
      '/etc/tg/tollgate.yaml',
      `upstreams:
  openai: { base_url: https://api.openai.com, dialects: [openai-chat] }
store: { redis: "redis://127.0.0.1:6379", lease_ms: ${leaseMs} }
budgets: ${budgets}
`,
      {},
    ),
  );
const MONEY = '[{ scope: tenant, limit_usd: 5 }]';

describe('what is said about `store.lease_ms`', () => {
  it.each([
    ['off', 0, '[]', []],
    ['as it is meant', 60_000, MONEY, []],
    ['no budget', 60_000, '[{ scope: tenant, limit_requests: 5 }]', [/leases nothing/]],
    [
      'rates beside money',
      60_000,
      '[{ scope: run, limit_usd: 5 }, { scope: tenant, limit_requests: 5 }]',
      [/saves no/],
    ],
    ['shorter than calls', 1_000, MONEY, [/`store.lease_ms: 1000` is shorter than most model calls/]],
  ])('%s', (_, leaseMs, budgets, said) => {
    const warnings = warningsOf(leaseMs, budgets);
    expect(warnings).toHaveLength(said.length);
    for (const [i, pattern] of said.entries()) expect(warnings[i]).toMatch(pattern);
  });

  it.each([
    [999, 'a lease of less than 1000 ms saves no question; 0 turns leases off'],
    [600_001, '600000'],
  ])('%d is refused, with its place', (leaseMs, words) => {
    expect(() => warningsOf(leaseMs, MONEY)).toThrow(ConfigFault);
    expect(() => warningsOf(leaseMs, MONEY)).toThrow(words);
    expect(() => warningsOf(leaseMs, MONEY)).toThrow('tollgate.yaml:3:');
  });
});
