import { createServer, type ServerResponse } from 'node:http';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { listening, type McpFixture } from '../support/mcp-fixture.ts';

const VERSION = '2025-11-25';
const TASKS = { list: {}, cancel: {}, requests: { tools: { call: {} } } };

interface Asked {
  readonly id: number;
  readonly method: string;
  readonly params?: { readonly taskId?: string };
}
type Answer = (asked: Asked, response: ServerResponse) => void;

const result = (response: ServerResponse, { id }: Asked, value: object): void => {
  response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'inner' });
  response.end(JSON.stringify({ jsonrpc: '2.0', id, result: value }));
};

/** A legacy server with one tool; `answer` takes what begins with `tools/call` or `tasks/`, `resume` a GET that names an event. */
async function startServer(
  tool: string,
  answer: Answer,
  resume?: (id: string, response: ServerResponse) => void,
): Promise<McpFixture> {
  const seen: McpFixture['seen'] = [];
  return listening(
    createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const text = Buffer.concat(chunks).toString();
      seen.push({ method: request.method ?? '', headers: request.headers, text });
      const last = request.headers['last-event-id'];
      if (request.method === 'GET' && typeof last === 'string' && resume) return resume(last, response);
      if (request.method !== 'POST') return void response.writeHead(405).end();
      const asked = JSON.parse(text) as Asked;
      if (asked.id === undefined) return void response.writeHead(202).end();
      switch (asked.method) {
        case 'initialize':
          return result(response, asked, {
            protocolVersion: VERSION,
            capabilities: { tools: {}, tasks: TASKS },
            serverInfo: { name: 's', version: '1' },
          });
        case 'tools/list':
          return result(response, asked, { tools: [{ name: tool, inputSchema: { type: 'object' } }] });
        default:
          return answer(asked, response);
      }
    }),
    seen,
  );
}

let gate: TestGate;
let one: McpFixture;
let two: McpFixture;
let answers: Record<'one' | 'two', Answer>;
let resumed: (id: string, response: ServerResponse) => void;

beforeEach(async () => {
  const said: Answer = (asked, response) => result(response, asked, { content: [{ type: 'text', text: 'done' }] });
  answers = { one: said, two: said };
  one = await startServer('dig', (asked, response) => answers.one(asked, response));
  two = await startServer(
    'work',
    (asked, response) => answers.two(asked, response),
    (id, response) => resumed(id, response),
  );
  const servers = { one: { url: one.url }, two: { url: two.url } };
  gate = await startTestGate({ upstreams: {}, config: { mcp: { servers, pins: { mode: 'first-use' } } } });
});
afterEach(async () => {
  await gate.remove();
  await one.close();
  await two.close();
});

async function connect(): Promise<{ client: Client; session: string }> {
  const client = new Client({ name: 'test', version: '1' });
  const transport = new StreamableHTTPClientTransport(new URL(`${gate.url}/mcp`));
  await client.connect(transport);
  return { client, session: transport.sessionId as string };
}

const headersOf = (session: string): Record<string, string> => ({
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'mcp-session-id': session,
  'mcp-protocol-version': VERSION,
});

const post = (session: string, method: string, params: object): Promise<Response> =>
  fetch(`${gate.url}/mcp`, {
    method: 'POST',
    headers: headersOf(session),
    body: JSON.stringify({ jsonrpc: '2.0', id: 9, method, params }),
  });

const CALL = { name: 'two__work', arguments: {} };

describe('a stream that breaks off on the federated endpoint (2025-11-25, basic/transports, resumability)', () => {
  /** Primes the client with an id, then ends: SEP-1699 polling. */
  const primed: Answer = (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end('retry: 10\r\nid: call-7\r\ndata:\r\n\r\n');
  };

  it('goes on at the server whose it is, for the official client, under the id that server gave', async () => {
    const { client } = await connect();
    let asked: Asked | undefined;
    answers.two = (message, response) => {
      asked = message;
      primed(message, response);
    };
    const ids: string[] = [];
    resumed = (id, response) => {
      ids.push(id);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const data = JSON.stringify({
        jsonrpc: '2.0',
        id: asked?.id,
        result: { content: [{ type: 'text', text: 'late' }] },
      });
      response.end(`id: call-8\ndata: ${data}\n\n`);
    };
    await client.listTools();
    expect(await client.callTool(CALL)).toMatchObject({ content: [{ type: 'text', text: 'late' }] });
    expect(ids).toEqual(['call-7']);
    await client.close();
  });

  it('has ids that say whose they are; nothing else of the stream changes', async () => {
    const { client, session } = await connect();
    await client.listTools();
    answers.two = primed;
    const reply = await post(session, 'tools/call', CALL);
    expect(await reply.text()).toBe('retry: 10\r\nid: two/call-7\r\ndata:\r\n\r\n');
    await client.close();
  });

  it.each(['call-7', 'nobody/call-7', '/call-7', ''])('is not found under the id `%s`', async (id) => {
    const { client, session } = await connect();
    const gets = two.seen.length + one.seen.length;
    const reply = await fetch(`${gate.url}/mcp`, { headers: { ...headersOf(session), 'last-event-id': id } });
    expect(reply.status).toBe(400);
    expect(await reply.text()).toContain('last-event-id');
    expect(two.seen.length + one.seen.length).toBe(gets);
    await client.close();
  });
});

describe('tasks on the federated endpoint (2025-11-25)', () => {
  const began =
    (taskId: string): Answer =>
    (asked, response) =>
      asked.method === 'tools/call'
        ? result(response, asked, { task: { taskId, status: 'working' } })
        : asked.method === 'tasks/list'
          ? result(response, asked, { tasks: [{ taskId: 'foreign' }, { taskId, status: 'working' }] })
          : result(response, asked, { taskId: asked.params?.taskId, status: 'completed' });
  const say = async (session: string, method: string, params: object) =>
    (await (await post(session, method, params)).json()) as {
      result?: Record<string, unknown>;
      error?: { code: number };
    };

  it('go to the server that gave them, are listed together, and nobody else’s are seen', async () => {
    const { client, session } = await connect();
    expect(client.getServerCapabilities()).toMatchObject({ tasks: TASKS });
    await client.listTools();
    answers = { one: began('t-1'), two: began('t-2') };
    await say(session, 'tools/call', { ...CALL, name: 'one__dig', task: {} });
    await say(session, 'tools/call', { ...CALL, task: {} });
    expect((await say(session, 'tasks/list', {})).result?.['tasks']).toEqual([
      { taskId: 't-1', status: 'working' },
      { taskId: 't-2', status: 'working' },
    ]);
    const before = one.seen.length;
    expect((await say(session, 'tasks/get', { taskId: 't-2' })).result).toMatchObject({ status: 'completed' });
    expect((await say(session, 'tasks/cancel', { taskId: 't-2' })).result).toMatchObject({ taskId: 't-2' });
    expect(one.seen).toHaveLength(before);
    expect((await say(session, 'tasks/get', { taskId: 'foreign' })).error?.code).toBe(-32602);
    await client.close();
  });

  it('of one id at two servers are told apart at their own addresses', async () => {
    const { client, session } = await connect();
    await client.listTools();
    answers = { one: began('t'), two: began('t') };
    await say(session, 'tools/call', { ...CALL, name: 'one__dig', task: {} });
    await say(session, 'tools/call', { ...CALL, task: {} });
    const { error } = await say(session, 'tasks/get', { taskId: 't' });
    expect(error).toMatchObject({ code: -32602, message: expect.stringContaining('`/mcp/<server>`: one, two') });
    await client.close();
  });
});
