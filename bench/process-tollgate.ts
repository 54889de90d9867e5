// A whole gate: 100 rules, the shipped prices, budgets in SQLite, a synced audit spool, metrics. `argv`: upstream, folder.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { verifyChain } from '../gateway/audit/chain.ts';
import { loadConfig } from '../gateway/config/load.ts';
import { startGateway } from '../gateway/main.ts';
import { answerParent } from './answer-parent.ts';
import { policyOf100 } from './policy-of-100.ts';

const [, , upstream, folder] = process.argv as [string, string, string, string];
const bundle = join(folder, 'policies', 'bench');
mkdirSync(bundle, { recursive: true });
writeFileSync(join(bundle, 'policy.yaml'), policyOf100());

const text = stringify({
  listen: { port: 0 },
  office: { port: 0 },
  upstreams: { openai: { base_url: upstream, dialects: ['openai-chat'] } },
  state: './data',
  policies: './policies',
  pricing: resolve(import.meta.dirname, '../pricing'),
  budgets: [
    { scope: 'run', limit_usd: 1_000_000 },
    { scope: 'agent', window: 'day', limit_usd: 10_000_000 },
  ],
  log: { level: 'warn' },
});
const gate = await startGateway(loadConfig(join(folder, 'tollgate.yaml'), text, {}));

/** Stops the gate and proves that what was measured was recorded. */
async function stop(): Promise<string> {
  const kinds = await counts();
  await gate.stop();
  const chain = await verifyChain(join(folder, 'data', 'spool'));
  if (!chain.ok) throw new Error(`the record of the bench does not verify: ${chain.problem} in ${chain.file}`);
  return JSON.stringify({ lines: chain.lines, ...kinds });
}

/** Calls that ended, by how, as the gate's own metrics count them. */
async function counts(): Promise<Record<string, number>> {
  const answer = await fetch(`http://127.0.0.1:${gate.office.port}/metrics`);
  const ended: Record<string, number> = {};
  for (const [, ending = '', n] of (await answer.text()).matchAll(
    /^tollgate_calls_total\{.*ending="([a-z_]+)".*\} (\d+)$/gm,
  )) {
    ended[ending] = (ended[ending] ?? 0) + Number(n);
  }
  return ended;
}

answerParent(gate.data.port, stop);
