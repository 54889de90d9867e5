// CPU per append and latency of a durable append: `node bench/spool.ts [folder]`. Last line: JSON.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSpool } from '../gateway/audit/spool.ts';
import type { SealEntry } from '../gateway/domain/receipt.ts';

const digest = `sha256:${'ab'.repeat(32)}`;

/** A receipt of ordinary size, about 1.2 kB. */
function receipt(i: number): SealEntry {
  const judged = (point: string) => ({
    point,
    plane: 'llm',
    decision: 'allow',
    hits: [],
    input_identity: digest,
    enforced_identity: digest,
  });
  return {
    kind: 'seal',
    id: `call_01JD${String(i).padStart(22, '0')}`,
    at: 1_760_000_000_000 + i,
    step: i % 40,
    attempt: 1,
    upstream: 'openai',
    dialect: 'openai-chat',
    model: 'gpt-5-mini',
    stream: true,
    status: 200,
    ending: 'completed',
    actions: ['input', 'pre_model_call', 'output'].map(judged),
    cost_usd: '0.001234500',
    cost_status: 'exact',
    latency_ms: 812,
    policy: digest,
    prices: digest,
  } as unknown as SealEntry;
}

async function measure(base: string, concurrent: number, total: number, sync: boolean) {
  const folder = await mkdtemp(join(base, 'spool-bench-'));
  const spool = await openSpool(folder, { sync });
  const times: number[] = [];
  let next = 0;
  const worker = async () => {
    while (next < total) {
      const begin = performance.now();
      await spool.append(receipt(next++));
      times.push(performance.now() - begin);
    }
  };
  await Promise.all(Array.from({ length: concurrent }, worker));
  next = times.length = 0;
  const cpu = process.cpuUsage();
  const loop = performance.eventLoopUtilization();
  const begin = performance.now();
  await Promise.all(Array.from({ length: concurrent }, worker));
  const seconds = (performance.now() - begin) / 1000;
  const used = process.cpuUsage(cpu);
  const busy = performance.eventLoopUtilization(loop).active;
  await spool.close();
  await rm(folder, { recursive: true });
  times.sort((a, b) => a - b);
  const at = (p: number) => Number((times[Math.floor(times.length * p)] as number).toFixed(3));
  const perLine = (us: number) => Number((us / total).toFixed(1));
  return {
    concurrent,
    sync,
    lines_per_s: Math.round(total / seconds),
    cpu_us: perLine(used.user + used.system),
    loop_us: perLine(busy * 1000),
    p50_ms: at(0.5),
    p99_ms: at(0.99),
  };
}

const base = process.argv[2] ?? tmpdir();
const start = process.cpuUsage();
for (let i = 0; i < 20_000; i += 1) JSON.stringify(receipt(i));
const made = process.cpuUsage(start);
const rows = [];
for (const sync of [true, false]) {
  for (const [concurrent, total] of [
    [1, 4000],
    [10, 20_000],
    [100, 60_000],
    [1000, 100_000],
  ] as const) {
    rows.push(await measure(base, concurrent, total, sync));
  }
}
console.table(rows);
console.log(`of cpu_us, making and stringifying the receipt: ${((made.user + made.system) / 20_000).toFixed(1)}`);
console.log(JSON.stringify(rows));
