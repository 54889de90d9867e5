// What the MCP plane adds to a `tools/call`: the same calls to a server directly, through a bare relay that only parses both messages, and
// through the gate, in turns, one at a time, all in one process. Trust the differences of the medians of one run, none of the figures alone.
// Run: npm run bench:mcp [-- <calls> <folder for the gate's state, such as /dev/shm: without the price of a disk's sync>]
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { loadConfig } from '../gateway/config/load.ts';
import { startGateway } from '../gateway/main.ts';
import { createLog } from '../gateway/telemetry/log.ts';

const CALLS = Number(process.argv[2] ?? 3_000);
const BEFORE = 500;
const TOOLS = JSON.stringify({
  tools: [{ name: 'echo', description: 'says it again', inputSchema: { type: 'object' } }],
});
const agent = new Agent({ keepAlive: true, maxSockets: 4 });

const server = createServer((incoming, response) => {
  let text = '';
  incoming.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  incoming.on('end', () => {
    const id = /"id":("[^"]*"|[0-9]+)/.exec(text)?.[1] ?? 'null';
    const result = text.includes('tools/list') ? TOOLS : '{"content":[{"type":"text","text":"hello there"}]}';
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(`{"jsonrpc":"2.0","id":${id},"result":${result}}`);
  });
});

/** The least that anything that reads the traffic must do: both bodies whole, both parsed. */
const bare = createServer((incoming, response) => {
  const chunks: Buffer[] = [];
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
  incoming.on('end', () => {
    const body = Buffer.concat(chunks);
    JSON.parse(body.toString());
    const { host: _, ...headers } = incoming.headers;
    const outgoing = request(direct, { agent: onward, method: 'POST', headers });
    outgoing.on('response', (reply) => {
      const parts: Buffer[] = [];
      reply.on('data', (chunk: Buffer) => parts.push(chunk));
      reply.on('end', () => {
        const answer = Buffer.concat(parts);
        JSON.parse(answer.toString());
        response.writeHead(reply.statusCode ?? 502, { 'content-type': 'application/json' });
        response.end(answer);
      });
    });
    outgoing.on('error', (error) => response.destroy(error));
    outgoing.end(body);
  });
});
const onward = new Agent({ keepAlive: true, maxSockets: 4 });

function call(url: string, id: number, method = 'tools/call'): Promise<number> {
  const began = performance.now();
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id,
    method,
    params: method === 'tools/call' ? { name: 'echo', arguments: { text: `hello ${id}`, n: id } } : {},
  });
  return new Promise((done, fail) => {
    const outgoing = request(url, {
      agent,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-11-25',
        'content-length': Buffer.byteLength(body),
      },
    });
    outgoing.on('response', (reply) => {
      let text = '';
      reply.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      reply.on('end', () => {
        if (reply.statusCode !== 200 || !text.includes('"result"') || text.includes('isError')) fail(new Error(text));
        else done(performance.now() - began);
      });
    });
    outgoing.on('error', fail);
    outgoing.end(body);
  });
}

const at = (sorted: readonly number[], share: number): number => sorted[Math.floor(sorted.length * share)] ?? 0;
const shown = (name: string, times: number[]): Record<string, string> => {
  const sorted = times.toSorted((a, b) => a - b);
  return {
    what: name,
    p50: at(sorted, 0.5).toFixed(3),
    p90: at(sorted, 0.9).toFixed(3),
    p99: at(sorted, 0.99).toFixed(3),
  };
};

const opened = async (listener: typeof server): Promise<string> => {
  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp`;
};
const direct = await opened(server);
const relayed = await opened(bare);
const folder = mkdtempSync(join(process.argv[3] ?? tmpdir(), 'tollgate-bench-mcp-'));
const repo = resolve(import.meta.dirname, '..');
for (const [bundle, policies] of [
  ['allow all', undefined],
  ['starter', join(repo, 'policies', 'starter')],
] as const) {
  const home = join(folder, bundle.replace(' ', '-'));
  mkdirSync(join(home, 'policies', 'open'), { recursive: true });
  writeFileSync(
    join(home, 'policies', 'open', 'policy.yaml'),
    'policy: tollgate/v1\nname: open\ndefault: allow\nrules: []\n',
  );
  const file = join(home, 'tollgate.yaml');
  writeFileSync(
    file,
    JSON.stringify({
      listen: { port: 0 },
      office: { port: 0 },
      mcp: { servers: { echo: { url: direct } }, pins: { mode: 'first-use', max_age_s: 3600 } },
      policies: policies ?? './policies',
      pricing: join(repo, 'pricing'),
      log: { level: 'silent' },
    }),
  );
  const config = loadConfig(file, await import('node:fs').then((fs) => fs.readFileSync(file, 'utf8')), process.env);
  const gate = await startGateway(config, { log: createLog({ level: 'silent' }) });
  const through = `http://127.0.0.1:${gate.data.port}/mcp/echo`;
  await call(through, 0, 'tools/list');
  const ways = { direct, 'bare relay': relayed, [`tollgate, ${bundle}`]: through };
  const times = Object.keys(ways).map((): number[] => []);
  for (let n = 1; n <= CALLS + BEFORE; n += 1)
    for (const [i, url] of Object.values(ways).entries()) {
      const took = await call(url, n);
      if (n > BEFORE) times[i]?.push(took);
    }
  const rows = Object.keys(ways).map((name, i) => shown(name, times[i] ?? []));
  console.table(rows);
  const [near, relay, gated] = rows.map((row) => Number(row['p50']));
  const over = (other = 0): number => Number(((gated ?? 0) - other).toFixed(3));
  console.log(
    JSON.stringify({ bundle, calls: CALLS, added_p50_ms: over(near), added_p50_over_bare_relay_ms: over(relay) }),
  );
  await gate.stop();
}
server.close();
bare.close();
agent.destroy();
onward.destroy();
rmSync(folder, { recursive: true });
