// What a gate costs as conversations grow: `npm run bench:history [-- --quick] [-- --profile <folder>]`. See README.md.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Pool } from 'undici';
import { Conversation } from './conversation.ts';
import { mustBeRecorded } from './must-be-recorded.ts';
import { type Server, Servers } from './processes.ts';
import { quantile } from './quantile.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    profile: { type: 'string' },
    steps: { type: 'string', default: '2,8,25,60,120' },
  },
});

const AGENTS = 16;
/** steps that every size is measured for, after as many that warm it up */
const MEASURED = options.quick ? 4 : 16;
const PATH = '/v1/chat/completions';
const sent = { bare: 0, tollgate: 0 };

interface Target {
  readonly name: 'bare' | 'tollgate';
  readonly path: string;
  readonly server: Server;
  readonly pool: Pool;
}

interface Figures {
  readonly kb: number;
  /** microseconds of processor time per call */
  readonly cpu: number;
  /** milliseconds */
  readonly p50: number;
}

const target = (name: Target['name'], prefix: string, server: Server): Target => ({
  name,
  path: prefix + PATH,
  server,
  pool: new Pool(server.origin, { connections: AGENTS, pipelining: 1 }),
});

/** One call of one agent; returns how many milliseconds its answer took. */
async function ask({ name, pool, path }: Target, run: string, body: string): Promise<number> {
  const began = performance.now();
  const answer = await pool.request({
    path,
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: 'Bearer sk-bench-0000',
      'x-tollgate-run': run,
      'x-tollgate-agent': 'coder',
    },
    body,
  });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`${path} answered ${answer.statusCode}: ${text.slice(0, 300)}`);
  sent[name] += 1;
  return performance.now() - began;
}

/** `MEASURED` further steps of every agent, one call at a time; the bodies are written before the clock runs. */
async function walk(to: Target, talks: readonly Conversation[], steps: number): Promise<Figures> {
  const times: number[] = [];
  let cpu = 0;
  let bytes = 0;
  for (let n = 0; n < steps; n += 1) {
    const bodies = talks.map((talk) => talk.goOn());
    bytes += bodies.reduce((sum, body) => sum + body.length, 0);
    const before = await to.server.cpu();
    for (const [i, body] of bodies.entries()) times.push(await ask(to, `${to.name}-${talks[i]?.name}`, body));
    await sleep(20);
    cpu += (await to.server.cpu()) - before;
  }
  return { kb: bytes / times.length / 1024, cpu: cpu / times.length, p50: quantile(times, 0.5) };
}

/** The same steps of the same conversations over every target; the targets take turns. */
async function measure(targets: readonly Target[], steps: number): Promise<Record<Target['name'], Figures>> {
  const figures: Partial<Record<Target['name'], Figures>> = {};
  for (const to of targets) {
    const talks = Array.from({ length: AGENTS }, (_, i) => new Conversation(`s${steps}-${i}`, steps));
    await walk(to, talks, Math.ceil(MEASURED / 2));
    figures[to.name] = await walk(to, talks, MEASURED);
  }
  return figures as Record<Target['name'], Figures>;
}

/** The table, and as its last line the ratios by the size of the bodies. */
function report(sizes: readonly Record<Target['name'], Figures>[]): void {
  const rows: Record<string, Record<string, number>> = {};
  const ratios: Record<string, number> = {};
  for (const { bare, tollgate } of sizes) {
    const kb = Math.round(tollgate.kb);
    const ratio = Number((tollgate.cpu / bare.cpu).toFixed(2));
    ratios[kb] = ratio;
    rows[`${kb} KB`] = {
      'bare µs CPU/call': Math.round(bare.cpu),
      'tollgate µs CPU/call': Math.round(tollgate.cpu),
      ratio,
      'bare p50 ms': Number(bare.p50.toFixed(2)),
      'tollgate p50 ms': Number(tollgate.p50.toFixed(2)),
    };
  }
  console.table(rows);
  console.log(JSON.stringify({ cpu_ratio_vs_bare_by_kb: ratios }));
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-bench-'));
  const servers = new Servers();
  const targets: Target[] = [];
  try {
    const upstream = await servers.start('process-upstream.ts', []);
    targets.push(target('bare', '', await servers.start('process-bare.ts', [upstream.origin])));
    const gate = await servers.start('process-tollgate.ts', [upstream.origin, folder], options.profile);
    targets.push(target('tollgate', '/openai', gate));
    await measure(targets, 2);
    const sizes: Record<Target['name'], Figures>[] = [];
    for (const steps of options.steps.split(',').map(Number)) {
      sizes.push(await measure(targets, steps));
      process.stderr.write(`bench: ${steps} steps measured\n`);
    }
    mustBeRecorded(await servers.stop(gate), sent.tollgate);
    report(sizes);
  } finally {
    await Promise.allSettled(targets.map(({ pool }) => pool.close()));
    await servers.stopAll();
    await rm(folder, { recursive: true, force: true });
  }
}
await main();
