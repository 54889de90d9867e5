import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { listening, type McpFixture } from '../support/mcp-fixture.ts';

const POLICY = `policy: tollgate/v1
name: test
default: allow
rules:
  - id: no-secrets-in-results
    at: post_tool_call
    tools: [guarded]
    detect: secrets
    verdict: deny
    reason: secret
  - id: mask-mail
    at: [pre_tool_call, post_tool_call]
    tools: [mail, strict]
    detect: pii
    verdict: transform
    transform: [{ redact: pii.email, as: mask }]
  - id: no-stars
    at: pre_tool_call
    tools: [mail]
    when: "text.matches('[*]{5}.*DROP')"
    verdict: deny
    reason: edited_into_evil
  - id: no-drop
    at: pre_tool_call
    tools: [sql]
    when: "text.matches('(?i)drop table')"
    verdict: deny
    reason: sql
`;

const TOOLS = ['plain', 'guarded', 'mail', 'sql'].map((name) => ({
  name,
  description: `the tool ${name}`,
  inputSchema: {
    type: 'object',
    properties: { to: { type: 'string', 'x-mcp-header': 'To' }, text: { type: 'string' } },
  },
}));

TOOLS.push({
  name: 'strict',
  description: 'the tool strict',
  inputSchema: { type: 'object', properties: { to: { type: 'string', enum: ['ada@example.com', 'x'] } } },
} as never);

type Answer = (text: string, request: IncomingMessage, response: ServerResponse) => void;

/** what the server says to a `tools/call`; set by each test */
let answer: Answer;
let gate: TestGate;
let fixture: McpFixture;

const json = (response: ServerResponse, text: string, status = 200): void => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(text);
};
const idOf = (text: string): string => /"id":\s*("[^"]*"|-?[0-9]+)/.exec(text)?.[1] ?? 'null';
const echo: Answer = (text, _, response) =>
  json(response, `{"jsonrpc":"2.0","id":${idOf(text)},"result":{"content":[{"type":"text","text":"ok"}]}}`);

beforeAll(async () => {
  const seen: McpFixture['seen'] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      seen.push({ method: request.method ?? '', headers: request.headers, text });
      if (text.includes('"tools/list"'))
        json(response, `{"jsonrpc":"2.0","id":${idOf(text)},"result":${JSON.stringify({ tools: TOOLS })}}`);
      else answer(text, request, response);
    });
  });
  fixture = await listening(server, seen);
  gate = await startTestGate({
    upstreams: {},
    policy: POLICY,
    config: { mcp: { servers: { raw: { url: fixture.url } }, pins: { mode: 'first-use', max_age_s: 3600 } } },
  });
  await post(legacy(1, 'tools/list', '{}'));
});
afterAll(async () => {
  await gate.remove();
  await fixture.close();
});
beforeEach(() => {
  answer = echo;
  fixture.seen.length = 0;
});

const legacy = (id: number | string, method: string, params: string): string =>
  `{"jsonrpc":"2.0","id":${typeof id === 'string' ? JSON.stringify(id) : id},"method":"${method}","params":${params}}`;
const call = (name: string, args: string, id: number | string = 1): string =>
  legacy(id, 'tools/call', `{"name":"${name}","arguments":${args}}`);

async function post(
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; text: string }> {
  const reply = await fetch(`${gate.url}/mcp/raw`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      ...headers,
    },
    body,
  });
  return { status: reply.status, headers: reply.headers, text: await reply.text() };
}

const MODERN =
  '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}';
const modernCall = (name: string, args: string): string =>
  legacy(1, 'tools/call', `{"name":"${name}","arguments":${args},${MODERN}}`);
const modernHeaders = (name: string, more: Record<string, string> = {}): Record<string, string> => ({
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': 'tools/call',
  'mcp-name': name,
  ...more,
});
const toolCalls = (): string[] => fixture.seen.map((s) => s.text).filter((t) => t.includes('"tools/call"'));

describe('nothing that two parsers read differently reaches the server (mcp-plane.md 3, 13)', () => {
  it.each([
    ['a batch that hides a call', `[${call('plain', '{}')}]`, {}, -32600],
    [
      'a name twice',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"plain","name":"sql"}}',
      {},
      -32700,
    ],
    [
      'a case variant',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"Name":"sql","name":"plain"}}',
      {},
      -32600,
    ],
    ['another name in the header', modernCall('plain', '{}'), modernHeaders('sql'), -32020],
    [
      'another version in the header',
      modernCall('plain', '{}'),
      { ...modernHeaders('plain'), 'mcp-protocol-version': '2025-11-25' },
      -32020,
    ],
    ['an argument without its header', modernCall('plain', '{"to":"x"}'), modernHeaders('plain'), -32020],
    ['a modern header over a legacy body', call('plain', '{}'), modernHeaders('plain'), -32602],
  ])('%s', async (_, body, headers, code) => {
    const { status, text } = await post(body, headers as Record<string, string>);
    expect(status).toBe(400);
    const said = JSON.parse(text) as { error: { code: number }; id?: unknown };
    expect(said.error.code).toBe(code);
    expect(fixture.seen).toEqual([]);
  });

  it('a body that is not plain JSON: 415; one that is too large: 413', async () => {
    expect((await post(call('plain', '{}'), { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await post(call('plain', '{}'), { 'content-encoding': 'gzip' })).status).toBe(415);
    expect((await post(call('plain', `{"text":"${'x'.repeat(5_000_000)}"}`))).status).toBe(413);
    expect(fixture.seen).toEqual([]);
  });

  it('there is no GET or DELETE, and no session, for a modern client', async () => {
    for (const method of ['GET', 'DELETE']) {
      const reply = await fetch(`${gate.url}/mcp/raw`, { method, headers: { 'mcp-protocol-version': '2026-07-28' } });
      expect(reply.status).toBe(405);
    }
    await post(modernCall('plain', '{}'), { ...modernHeaders('plain'), 'mcp-session-id': 'whatever' });
    expect(fixture.seen.at(-1)?.headers['mcp-session-id']).toBeUndefined();
  });

  it('a session that is unknown, foreign or expired is the same 404', async () => {
    const { status, text } = await post(call('plain', '{}'), { 'mcp-session-id': 'tg1.AAAAAAAA.AAAA' });
    expect([status, JSON.parse(text).error.data.code]).toEqual([404, 'TG_UNKNOWN_SESSION']);
  });

  it('an answer to nothing that waits: 400', async () => {
    expect((await post('{"jsonrpc":"2.0","id":9,"result":{}}')).status).toBe(400);
  });
});

describe('what no verdict touches keeps its bytes', () => {
  const odd = '{ "text" : "It costs $5 & tax",\n "n":9007199254740993,"e":1.50e1, "u":"\\u00e9é😀","z":{} }';

  it('to the server and back, JSON and stream', async () => {
    const body = ` {"params":{"arguments":${odd},"name":"plain","_meta":{"vendor.example/x":[1, 2]}},"method":"tools/call", "id":"a\\u0062" ,"jsonrpc":"2.0"} `;
    const told = `{"result": {"content":[{"text":${JSON.stringify(odd)},"type":"text"}],"_meta":{"k": 9007199254740993}} , "jsonrpc":"2.0","id":"ab"}`;
    answer = (_, __, response) => json(response, told);
    expect((await post(body)).text).toBe(told);
    expect(fixture.seen.at(-1)?.text).toBe(body);
    const stream = `: hello\n\nid: 1\nevent: message\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"é"}}\r\n\r\nid:2\ndata:${told}\n\n`;
    answer = (_, __, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      // a character cut in two
      const bytes = Buffer.from(stream);
      const cut = bytes.indexOf(0xc3) + 1;
      response.write(bytes.subarray(0, cut));
      setTimeout(() => response.end(bytes.subarray(cut)), 20);
    };
    expect((await post(body)).text).toBe(stream);
  });

  it('any arguments and any result', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json({ noUnicodeString: false }), fc.json(), async (args, result) => {
        fc.pre(!/__proto__|\\u[dD][89a-fA-F]/.test(args + result));
        const told = `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":${result}}}`;
        answer = (_, __, response) => json(response, told);
        const body = call('plain', `{"x":${args}}`);
        expect((await post(body)).text).toBe(told);
        expect(fixture.seen.at(-1)?.text).toBe(body);
      }),
      { numRuns: 40 },
    );
  });
});

describe('verdicts on the wire', () => {
  it('an edit is a splice: the rest keeps its bytes, and the headers say what the body says', async () => {
    const args = '{ "to":"ada@example.com", "n":9007199254740993 , "text":"hi" }';
    await post(modernCall('mail', args), modernHeaders('mail', { 'mcp-param-to': 'ada@example.com' }));
    const sent = fixture.seen.at(-1);
    const masked = '*'.repeat('ada@example.com'.length);
    expect(sent?.text).toBe(modernCall('mail', args.replace('ada@example.com', masked)));
    expect(sent?.headers['mcp-param-to']).toBe(masked);
  });

  it('an edit that breaks the schema of the tool cannot land', async () => {
    const { text } = await post(call('strict', '{"to":"ada@example.com"}'));
    expect(JSON.parse(text)).toMatchObject({ result: { isError: true } });
    expect(text).toContain('breaks the schema of the tool at `/to`');
    expect(toolCalls()).toEqual([]);
  });

  it('an edited call is judged again', async () => {
    const { text } = await post(call('mail', '{"text":"ada@example.com DROP"}'));
    expect(text).toContain('edited_into_evil');
    expect(toolCalls()).toEqual([]);
  });

  it('the same attack gets the same verdict every time, at any depth', async () => {
    for (let n = 1; n <= 6; n += 1) {
      const { text, status } = await post(call('sql', `{"a":[{"b":"x; DROP TABLE users -- ${n}"}]}`, n));
      expect(status).toBe(200);
      expect(JSON.parse(text)).toMatchObject({ id: n, result: { isError: true } });
    }
    expect(toolCalls()).toEqual([]);
  });

  it('errors are reviewed like results, in message and data', async () => {
    const secret = 'ghp_0123456789abcdefghijABCDEFGHIJ456789';
    for (const error of [
      { code: -1, message: `token ${secret}` },
      { code: -1, message: 'x', data: { deep: [secret] } },
    ]) {
      answer = (text, _, response) => json(response, JSON.stringify({ jsonrpc: '2.0', id: Number(idOf(text)), error }));
      const { text } = await post(call('guarded', '{}'));
      expect(text).not.toContain(secret);
      expect(text).toContain('no-secrets-in-results');
    }
  });

  it('a secret in a member name, in base64 text or in a vendor’s `_meta` is found', async () => {
    const secret = 'ghp_0123456789abcdefghijABCDEFGHIJ456789';
    const blob = Buffer.from(secret).toString('base64');
    for (const result of [
      { structuredContent: { [secret]: 1 } },
      { content: [{ type: 'resource', resource: { uri: 'a:b', mimeType: 'text/plain', blob } }] },
      { content: [], _meta: { 'vendor.example/k': secret } },
      { content: [{ type: 'resource_link', uri: `https://x/?k=${secret}`, name: 'n' }] },
    ]) {
      answer = (text, _, response) =>
        json(response, JSON.stringify({ jsonrpc: '2.0', id: Number(idOf(text)), result }));
      expect((await post(call('guarded', '{}'))).text).toContain('no-secrets-in-results');
    }
  });

  it('a tool that no list shows is unknown, whatever it is called', async () => {
    const { text } = await post(call('hidden_tool', '{}'));
    expect(JSON.parse(text)).toMatchObject({ id: 1, error: { code: -32602 } });
    expect(toolCalls()).toEqual([]);
  });
});

describe('what a server sends that cannot be accepted is refused, not dropped and not passed', () => {
  it.each([
    ['no JSON', 'oops'],
    ['a name twice', '{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}'],
    ['an answer to another request', '{"jsonrpc":"2.0","id":2,"result":{}}'],
    ['a variant', '{"jsonrpc":"2.0","id":1,"result":{"Content":[]}}'],
    ['a request of its own', '{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{}}'],
  ])('%s', async (_, told) => {
    answer = (__, ___, response) => json(response, told);
    const { status, text } = await post(call('plain', '{}'));
    expect(status).toBe(502);
    expect(JSON.parse(text)).toMatchObject({
      id: 1,
      error: { code: -32603, data: { code: 'TG_UPSTREAM_UNREADABLE' } },
    });
    const receipt = await eventually(async () =>
      (await gate.calls()).find((c) => c.fault === 'TG_UPSTREAM_UNREADABLE'),
    );
    expect(receipt.ending).toBe('upstream_broke');
  });

  it('the same on a stream: the waiting request gets an error event', async () => {
    answer = (_, __, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end('data: {"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}\n\n');
    };
    const { text } = await post(call('plain', '{}'));
    expect(text).toMatch(/^event: message\ndata: \{"jsonrpc":"2.0","id":1,"error":\{"code":-32603/);
  });

  it('a redirect is not followed, and its target gets nothing', async () => {
    answer = (_, __, response) => {
      response.writeHead(307, { location: `${fixture.url}/elsewhere` });
      response.end();
    };
    expect((await post(call('plain', '{}'))).status).toBe(502);
    expect(toolCalls()).toHaveLength(1);
  });

  it('a refusal of our credential is ours to mend, not the caller’s', async () => {
    answer = (_, __, response) => {
      response.writeHead(401, { 'www-authenticate': 'Bearer realm="theirs"' });
      response.end();
    };
    const reply = await post(call('plain', '{}'));
    expect([reply.status, reply.headers.get('www-authenticate')]).toEqual([502, null]);
    expect(reply.text).toContain('TG_UPSTREAM_AUTH');
  });
});

it('the caller’s credentials, cookies and our own headers never reach the server', async () => {
  await post(call('plain', '{}'), {
    authorization: 'Bearer theirs',
    cookie: 'a=b',
    'x-tollgate-agent': 'me',
    'x-forwarded-for': '1.2.3.4',
    'x-api-key': 'k',
    traceparent: '00-0123456789abcdef0123456789abcdef-0123456789abcdef-01',
    'x-custom': 'stays',
  });
  const { headers = {} } = fixture.seen.at(-1) ?? {};
  for (const name of ['authorization', 'cookie', 'x-tollgate-agent', 'x-forwarded-for', 'x-api-key', 'forwarded'])
    expect(headers[name]).toBeUndefined();
  expect(headers['x-custom']).toBe('stays');
  expect(headers['traceparent']).toContain('0123456789abcdef');
});

it('colliding ids: no answer crosses, however many callers use the same one (CVE-2026-25536)', async () => {
  answer = (text, _, response) => {
    const mark = /"text":"([^"]*)"/.exec(text)?.[1] ?? '';
    setTimeout(
      () =>
        json(response, `{"jsonrpc":"2.0","id":${idOf(text)},"result":{"content":[{"type":"text","text":"${mark}"}]}}`),
      Number(mark.split('-')[1]),
    );
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom(1, 2, 'a'), fc.nat(8)), { minLength: 2, maxLength: 24 }),
      async (ids) => {
        const answers = await Promise.all(
          ids.map(([id, wait], i) => post(call('plain', `{"text":"${i}-${wait}"}`, id))),
        );
        answers.forEach(({ text }, i) => {
          const said = JSON.parse(text) as { id: unknown; result: { content: { text: string }[] } };
          expect([said.id, said.result.content[0]?.text]).toEqual([ids[i]?.[0], `${i}-${ids[i]?.[1]}`]);
        });
      },
    ),
    { numRuns: 15 },
  );
});

describe('a large result', () => {
  const MEGA = 1024 * 1024;

  /** how many bytes reached the caller while the server held the last one back */
  async function passed(
    tool: string,
    form: 'json' | 'stream',
    patience = 15_000,
  ): Promise<{ early: number; whole: string; sent: string }> {
    const head = '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"';
    const text = 'é'.repeat(5 * MEGA);
    const message = `${head}${text}"}]}}`;
    const sent = form === 'json' ? message : `id: 7\ndata: ${message}\n\n`;
    let finish = (): void => {};
    answer = (_, __, response) => {
      response.writeHead(200, { 'content-type': form === 'json' ? 'application/json' : 'text/event-stream' });
      const bytes = Buffer.from(sent);
      response.write(bytes.subarray(0, bytes.length - 8));
      finish = () => response.end(bytes.subarray(bytes.length - 8));
    };
    const chunks: Buffer[] = [];
    let size = 0;
    const done = new Promise<void>((resolve, reject) => {
      const outgoing = httpRequest(`${gate.url}/mcp/raw`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      });
      outgoing.on('response', (reply) => {
        reply.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          size += chunk.length;
        });
        reply.on('end', resolve);
        reply.on('error', reject);
      });
      outgoing.on('error', reject);
      outgoing.end(call(tool, '{}'));
    });
    await vi.waitUntil(() => size > 9 * MEGA, { timeout: patience }).catch(() => undefined);
    const early = size;
    finish();
    await done;
    return { early, whole: Buffer.concat(chunks).toString(), sent };
  }

  it('of 10 MB streams through, byte for byte, where nothing has to see it whole', { timeout: 60_000 }, async () => {
    for (const form of ['json', 'stream'] as const) {
      const { early, whole, sent } = await passed('plain', form);
      expect(early).toBeGreaterThan(9 * MEGA);
      expect(whole === sent).toBe(true);
    }
    const receipt = await eventually(async () =>
      (await gate.calls()).find((c) => c.actions.some((a) => a.point === 'post_tool_call' && a.tool === 'plain')),
    );
    expect(receipt.ending).toBe('completed');
  });

  it('is held where a rule has to see it', async () => {
    const { early, whole, sent } = await passed('guarded', 'json', 1_000);
    expect(early).toBe(0);
    expect(whole === sent).toBe(true);
  });

  it('that is an error is read whole and said as it is', async () => {
    const error = JSON.stringify({ code: -32000, message: 'm', data: 'x'.repeat(MEGA) });
    for (const form of ['json', 'stream']) {
      answer = (_, __, response) => {
        const told = `{"jsonrpc":"2.0","error":${error},"id":1}`;
        response.writeHead(200, { 'content-type': form === 'json' ? 'application/json' : 'text/event-stream' });
        response.end(form === 'json' ? told : `data: ${told}\n\n`);
      };
      const { status, text } = await post(call('plain', '{}'));
      expect([status, text.includes(error)]).toEqual([200, true]);
    }
  });

  it('is broken off where it turns out to be no good', async () => {
    answer = (_, __, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(`{"jsonrpc":"2.0","id":1,"result":{"x":"${'y'.repeat(MEGA)}","a":1,"a":2}}`);
    };
    await expect(post(call('plain', '{}'))).rejects.toThrow();
  });
});
