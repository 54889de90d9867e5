// What the MCP plane adds to a `tools/call`: `npm run bench:mcp [-- --rate 200] [-- --seconds 2] [-- --state <folder>]`. See README.md.
// Last line: JSON {"added_p50_ms", "added_p50_over_bare_relay_ms", "bundles": …, "sync_p50_ms"}.
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { install } from './install.ts';
import { paced } from './paced.ts';
import { type Server, Servers } from './processes.ts';
import { quantile } from './quantile.ts';
import { saturate } from './saturate.ts';
import type { BenchCall } from './traffic.ts';

const { values: options } = parseArgs({
  options: {
    rate: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '6' },
    state: { type: 'string', default: tmpdir() },
  },
});
const [rate, seconds, rounds] = [Number(options.rate), Number(options.seconds), Number(options.rounds)];
if (!(rate > 0 && seconds > 0 && rounds > 0))
  throw new Error('`--rate`, `--seconds` and `--rounds` take positive numbers; write for example `--rate 200`');

const message = (id: number, method: string, params: object): BenchCall => ({
  headers: {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2025-11-25',
  },
  body: JSON.stringify({ jsonrpc: '2.0', id, method, params }),
});
const LIST = [message(0, 'tools/list', {})];
const CALLS = Array.from({ length: 4_096 }, (_, n) =>
  message(n + 1, 'tools/call', { name: 'echo', arguments: { text: `hello ${n}`, n } }),
);

interface Target {
  readonly name: string;
  readonly url: string;
}

interface Times {
  readonly p50: number;
  readonly p99: number;
}

/** Each round asks every target in turn; a figure is the median over the rounds. */
async function measure(targets: readonly Target[]): Promise<readonly (Target & Times)[]> {
  install('autocannon');
  for (const { url } of targets) await saturate(url, CALLS.slice(0, 256), 8, 5);
  const times = targets.map((): Times[] => []);
  for (let round = 0; round < rounds; round += 1)
    for (const [i, { url }] of targets.entries()) times[i]?.push(await paced({ url, calls: CALLS, rate, seconds }));
  return targets.map((target, i) => {
    const of = (figure: keyof Times): number =>
      quantile(
        (times[i] ?? []).map((one) => one[figure]),
        0.5,
      );
    return { ...target, p50: of('p50'), p99: of('p99') };
  });
}

/** The median time of one write and `fdatasync` of a line there: a gate waits for one before each call. */
function syncTime(folder: string): number {
  const file = openSync(join(folder, 'sync'), 'w');
  const line = Buffer.alloc(1_000, 'x');
  const times = Array.from({ length: 200 }, () => {
    const began = performance.now();
    writeSync(file, line);
    fdatasyncSync(file);
    return performance.now() - began;
  });
  closeSync(file);
  return quantile(times, 0.5);
}

const ms = (value: number): number => Number(value.toFixed(3));
const url = (server: Server, path = ''): string => server.origin + path;
const folder = mkdtempSync(join(options.state, 'tollgate-bench-mcp-'));
const servers = new Servers();

try {
  const server = await servers.start('process-mcp-server.ts', []);
  const bare = await servers.start('process-bare.ts', [server.origin]);
  const durable = await servers.start('process-durable.ts', [server.origin, folder]);
  const gates: Server[] = [];
  const behind: Target[] = [];
  for (const bundle of ['open', 'starter']) {
    const policies = bundle === 'open' ? bundle : resolve(import.meta.dirname, '../policies', bundle);
    const gate = await servers.start('process-mcp-gate.ts', [url(server, '/mcp'), join(folder, bundle), policies]);
    gates.push(gate);
    behind.push({ name: `tollgate, ${bundle}`, url: url(gate, '/mcp/echo') });
    await paced({ url: url(gate, '/mcp/echo'), calls: LIST, rate: 1, seconds: 1 });
  }
  const [direct, relay, lossless, ...gated] = await measure([
    { name: 'direct', url: url(server, '/mcp') },
    { name: 'bare relay', url: url(bare, '/mcp') },
    { name: 'durable relay', url: url(durable, '/mcp') },
    ...behind,
  ]);
  if (!direct || !relay || !lossless) throw new Error('nothing was measured');
  const rows = [direct, relay, lossless, ...gated];
  console.table(rows.map((row) => ({ to: row.name, 'p50 ms': ms(row.p50), 'p99 ms': ms(row.p99) })));
  const bundles = Object.fromEntries(
    gated.map(({ name, p50 }) => [
      name.replace('tollgate, ', ''),
      { added_p50_ms: ms(p50 - direct.p50), added_p50_over_bare_relay_ms: ms(p50 - relay.p50) },
    ]),
  );
  const sync = ms(syncTime(folder));
  for (const gate of gates) await servers.stop(gate);
  console.log(JSON.stringify({ ...bundles['starter'], rate, bundles, sync_p50_ms: sync }));
} finally {
  await servers.stopAll();
  rmSync(folder, { recursive: true, force: true });
}
