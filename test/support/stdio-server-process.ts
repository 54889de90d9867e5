import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

// A small MCP server on stdio for tests, started as a process of its own. `ERA=modern` makes it stateless; tools misbehave on demand.

interface Message {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: unknown;
}

const MODERN = process.env['ERA'] === 'modern';
const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId';
const children: ChildProcess[] = [];

const write = (text: string): void => {
  process.stdout.write(text);
};
const send = (message: unknown): void => write(`${JSON.stringify(message)}\n`);
const text = (value: string): unknown => ({
  ...(MODERN && { resultType: 'complete' }),
  content: [{ type: 'text', text: value }],
});
const answer = (id: Message['id'], result: unknown): void => send({ jsonrpc: '2.0', id, result });
const note = (method: string, params: unknown): void => send({ jsonrpc: '2.0', method, params });

if (process.env['PID_FILE']) appendFileSync(process.env['PID_FILE'], `${process.pid}\n`);
if (process.env['STUBBORN']) process.on('SIGTERM', () => undefined);
if (process.env['STUBBORN']) setInterval(() => undefined, 1000);
if (process.env['DIE_AT_START']) process.exit(3);

const TOOLS: Record<
  string,
  (id: Message['id'], args: Record<string, unknown>, params: Record<string, unknown>) => void
> = {
  echo: (id, args) => answer(id, text(String(args['text']))),
  pid: (id) => answer(id, text(String(process.pid))),
  env: (id) => answer(id, text(JSON.stringify(process.env))),
  cwd: (id) => answer(id, text(process.cwd())),
  die: () => process.exit(7),
  silent: () => undefined,
  garbage: () => write('this is no json\n'),
  batch: (id) => write(`[${JSON.stringify({ jsonrpc: '2.0', id, result: text('batched') })}]\n`),
  twice: (id) => write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"id":1,"result":{}}\n`),
  latin: () => process.stdout.write(Buffer.from([0x7b, 0x22, 0xe9, 0x22, 0x7d, 0x0a])),
  big: (id, args) => answer(id, text('x'.repeat(Number(args['size'])))),
  bigint: (id) =>
    write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"content":[],"n":12345678901234567890}}\n`),
  split: (id) => {
    const line = Buffer.from(`${JSON.stringify({ jsonrpc: '2.0', id, result: text('größe €') })}\r\n`);
    const cut = line.indexOf(0xe2) + 1;
    process.stdout.write(line.subarray(0, cut));
    setTimeout(() => process.stdout.write(line.subarray(cut)), 30);
  },
  late: (id, args) => setTimeout(() => answer(id, text(String(args['text']))), Number(args['ms'])),
  grandchild: (id, args) => {
    const script = `if (${args['own'] === true}) process.title = 'escaped'; setInterval(() => {}, 1000)`;
    const child = spawn(process.execPath, ['-e', script], { detached: args['own'] === true, stdio: 'inherit' });
    children.push(child);
    answer(id, text(String(child.pid)));
  },
  progress: (id, _args, params) => {
    const token = (params['_meta'] as Record<string, unknown>)['progressToken'];
    for (const progress of [1, 2]) note('notifications/progress', { progressToken: token, progress });
    // the SDK's client forgets who hears of progress as soon as it reads the answer, also from the same chunk
    setTimeout(() => answer(id, text('done')), 500);
  },
  ask: (id) => {
    pending.set('s-1', (result) => answer(id, text(JSON.stringify(result))));
    const requestedSchema = { type: 'object', properties: { sure: { type: 'boolean' } } };
    send({ jsonrpc: '2.0', id: 's-1', method: 'elicitation/create', params: { message: 'sure?', requestedSchema } });
  },
  noise: (id) => {
    process.stderr.write(`using ${process.env['TOKEN']}\n${'y'.repeat(10_000)}\n`);
    answer(id, text('noted'));
  },
  log: (id) => {
    note('notifications/message', { level: 'info', data: 'for one caller' });
    setTimeout(() => answer(id, text('logged')), 50);
  },
  changed: (id) => {
    note('notifications/tools/list_changed', {});
    answer(id, text('told'));
  },
  chatter: (id, args) => {
    note('notifications/resources/updated', { uri: 'x'.repeat(Number(args['size'])) });
    answer(id, text('told'));
  },
  flood: (_id, args, params) => {
    for (let i = 0; i < Number(args['times']); i += 1)
      note('notifications/message', { level: 'info', data: 'x'.repeat(Number(args['size'])), name: params['name'] });
  },
  unasked: (id) => {
    answer(4711, {});
    answer(id, text('fine'));
  },
};
const pending = new Map<string, (result: unknown) => void>();
const listeners = new Set<Message['id']>();

const HANDLERS: Record<string, (id: Message['id'], params: Record<string, unknown>) => void> = {
  initialize: (id, params) => {
    const version = String(params['protocolVersion']);
    answer(id, {
      protocolVersion: version,
      capabilities: { tools: {} },
      serverInfo: { name: 'fixture', version: '1' },
    });
  },
  'tools/list': (id) =>
    answer(id, { tools: Object.keys(TOOLS).map((name) => ({ name, inputSchema: { type: 'object' } })) }),
  'tools/call': (id, params) => {
    const tool = TOOLS[String(params['name'])];
    const args = (params['arguments'] ?? {}) as Record<string, unknown>;
    if (tool) tool(id, args, params);
    else send({ jsonrpc: '2.0', id, error: { code: -32602, message: 'unknown tool' } });
  },
};
if (MODERN) {
  delete HANDLERS['initialize'];
  HANDLERS['server/discover'] = (id) =>
    answer(id, { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: { tools: {} } });
  HANDLERS['subscriptions/listen'] = (id) => {
    listeners.add(id);
    note('notifications/subscriptions/acknowledged', { _meta: { [SUBSCRIPTION]: id } });
    note('notifications/tools/list_changed', { _meta: { [SUBSCRIPTION]: id } });
  };
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params = {}, result } = JSON.parse(line) as Message;
  if (process.env['SEEN_FILE']) appendFileSync(process.env['SEEN_FILE'], `${line}\n`);
  if (method === undefined) return pending.get(String(id))?.(result);
  const handler = HANDLERS[method];
  if (handler) handler(id, params);
  else if (id !== undefined) send({ jsonrpc: '2.0', id, error: { code: -32601, message: `no method ${method}` } });
});
