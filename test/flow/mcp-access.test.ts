import { generateKeyPairSync } from 'node:crypto';
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { exportJWK, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';

const BASE = 'https://gate.example.com';
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

/** An authorization server that also exchanges tokens, and an MCP server that says with what it was asked. */
interface World {
  readonly origin: string;
  readonly grants: Record<string, string>[];
  readonly upstream: {
    readonly url: string | undefined;
    readonly headers: IncomingHttpHeaders;
    readonly body: string;
  }[];
  challenge: boolean;
}
let world: World;

beforeEach(async () => {
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256' };
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const json = (value: unknown, status = 200, headers = {}): unknown =>
        response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
      if (request.url === '/.well-known/oauth-authorization-server')
        return json({
          issuer: world.origin,
          jwks_uri: `${world.origin}/jwks`,
          token_endpoint: `${world.origin}/token`,
        });
      if (request.url === '/jwks') return json({ keys: [jwk] });
      if (request.url === '/token') {
        world.grants.push(Object.fromEntries(new URLSearchParams(body)));
        return json({ access_token: `exchanged-${world.grants.length}`, token_type: 'Bearer', expires_in: 600 });
      }
      world.upstream.push({ url: request.url, headers: request.headers, body });
      if (world.challenge)
        return json({}, 401, { 'www-authenticate': 'Bearer resource_metadata="https://theirs.example/x"' });
      const { id, method } = JSON.parse(body || '{}') as { id?: unknown; method?: string };
      if (id === undefined) return response.writeHead(202).end();
      const result =
        method === 'initialize'
          ? { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'x', version: '1' } }
          : { tools: [{ name: 'look', inputSchema: { type: 'object' } }], content: [] };
      return json({ jsonrpc: '2.0', id, result }, 200, { 'mcp-session-id': 'theirs', 'set-cookie': 'a=b' });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  world = { origin, grants: [], upstream: [], challenge: false };
  cleanup.push(
    () => server.close(),
    () => server.closeAllConnections(),
  );
});

async function start(more: Record<string, unknown> = {}, grant = 'token_exchange'): Promise<TestGate> {
  const oauth = { grant, issuer: world.origin, client_id: 'tollgate', client_secret: 'secret' };
  const gate = await startTestGate({
    upstreams: {},
    config: {
      mcp: {
        servers: { crm: { url: `${world.origin}/mcp`, credential: { oauth } } },
        pins: { mode: 'first-use' },
        oauth: { resource: BASE, issuers: [{ issuer: world.origin }], scopes: ['mcp:use'] },
        ...more,
      },
      limits: { shutdown_s: 1 },
    },
  });
  cleanup.push(() => gate.remove());
  return gate;
}

const token = (claims: Record<string, unknown> = {}): Promise<string> =>
  new SignJWT({
    iss: world.origin,
    sub: 'ada',
    client_id: 'cursor',
    aud: `${BASE}/mcp/crm`,
    scope: 'mcp:use',
    ...claims,
  })
    .setProtectedHeader({ alg: 'ES256', kid: 'k1', typ: 'at+jwt' })
    .setExpirationTime('5m')
    .sign(pair.privateKey);

const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } },
});
const knock = (gate: TestGate, headers: Record<string, string> = {}, path = '/mcp/crm'): Promise<Response> =>
  fetch(gate.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body: INITIALIZE,
  });

async function connect(gate: TestGate, jwt: string): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  const requestInit = { headers: { authorization: `Bearer ${jwt}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${gate.url}/mcp/crm`), { requestInit }));
  cleanup.push(() => client.close());
  return client;
}

describe('the gate as an OAuth resource server', () => {
  it('leads a client from its 401 to the metadata and to the issuer (RFC 9728)', async () => {
    const gate = await start();
    const refused = await knock(gate);
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
      401,
      `Bearer resource_metadata="${BASE}/.well-known/oauth-protected-resource/mcp/crm", scope="mcp:use"`,
    ]);
    const metadata = await fetch(`${gate.url}/.well-known/oauth-protected-resource/mcp/crm`);
    expect([metadata.status, await metadata.json()]).toMatchObject([
      200,
      { resource: `${BASE}/mcp/crm`, authorization_servers: [world.origin], scopes_supported: ['mcp:use'] },
    ]);
    expect((await fetch(`${gate.url}/.well-known/oauth-protected-resource/admin`)).status).toBe(404);
    expect(world.upstream).toEqual([]);
  });

  it.each([
    ['of another endpoint', { aud: `${BASE}/mcp` }, 401, 'invalid_token'],
    ['without the scope', { scope: 'mcp:other' }, 403, 'insufficient_scope'],
    ['of another issuer', { iss: 'https://evil.example' }, 401, 'invalid_token'],
  ])('refuses a token %s and says so', async (_name, claims, status, error) => {
    const gate = await start();
    const refused = await knock(gate, { authorization: `Bearer ${await token(claims)}` });
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
      status,
      expect.stringContaining(`error="${error}"`),
    ]);
    expect(world.upstream).toEqual([]);
  });

  it('takes no token from a URL', async () => {
    const gate = await start();
    expect((await knock(gate, {}, `/mcp/crm?access_token=${await token()}`)).status).toBe(401);
    expect(world.upstream).toEqual([]);
  });

  it('lets the right token in, records whose it is, and sends an exchanged one on, never the caller’s', async () => {
    const gate = await start();
    const jwt = await token();
    const client = await connect(gate, jwt);
    expect((await client.listTools()).tools.map((tool) => tool.name)).toEqual(['look']);
    await client.callTool({ name: 'look' });
    const call = await eventually(async () =>
      (await gate.calls()).find((c) => c.actions.some((a) => a.tool === 'look')),
    );
    expect(JSON.stringify(call)).toMatch(/"ada"[\s\S]*"cursor"|"cursor"[\s\S]*"ada"/);
    expect(world.grants).toHaveLength(1);
    expect(world.grants[0]).toMatchObject({ subject_token: jwt, resource: `${world.origin}/mcp` });
    expect(world.upstream.length).toBeGreaterThan(2);
    for (const { headers, url, body } of world.upstream) {
      expect(headers.authorization).toBe('Bearer exchanged-1');
      expect(JSON.stringify([headers, url, body])).not.toContain(jwt.split('.')[2]);
    }
  });

  it('binds a session to its caller: shown by another it is not known', async () => {
    const gate = await start();
    const mine = await knock(gate, { authorization: `Bearer ${await token()}` });
    const session = mine.headers.get('mcp-session-id') as string;
    expect([mine.status, session]).toEqual([200, expect.not.stringContaining('theirs')]);
    const list = JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/list' });
    const show = async (claims: Record<string, unknown>): Promise<number> => {
      const authorization = `Bearer ${await token(claims)}`;
      const headers = {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        authorization,
        'mcp-session-id': session,
      };
      return (await fetch(`${gate.url}/mcp/crm`, { method: 'POST', headers, body: list })).status;
    };
    expect([
      await show({}),
      await show({ sub: 'eve' }),
      await show({ client_id: 'other' }),
      await show({ sub: 'cursor' }),
    ]).toEqual([200, 404, 404, 404]);
  });

  it('does not relay the challenge of a server that refuses the gate', async () => {
    const gate = await start({}, 'client_credentials');
    world.challenge = true;
    const refused = await knock(gate, { authorization: `Bearer ${await token()}` });
    expect(refused.status).toBe(502);
    expect(await refused.text()).toContain('TG_UPSTREAM_AUTH');
    expect(refused.headers.get('www-authenticate')).toBeNull();
  });
});

describe('the plane’s door', () => {
  /** `fetch` sets Host and Origin by itself. */
  const raw = (
    gate: TestGate,
    headers: Record<string, string>,
    path = '/mcp/crm',
  ): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      const asked = httpRequest(
        `${gate.url}${path}`,
        { method: 'POST', headers: { 'content-type': 'application/json', ...headers } },
        (answer) => {
          let body = '';
          answer.setEncoding('utf8').on('data', (chunk) => {
            body += chunk;
          });
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }));
        },
      );
      asked.on('error', reject);
      asked.end(INITIALIZE);
    });

  it('is closed to a foreign Host and to web pages of a foreign Origin, before anything else (CVE-2025-66414)', async () => {
    const gate = await start({ allowed_origins: ['https://app.example.com'], oauth: undefined }, 'client_credentials');
    const port = new URL(gate.url).port;
    for (const headers of [
      { host: 'evil.example' },
      { host: `evil.example:${port}` },
      { origin: 'https://evil.example' },
      { origin: 'null' },
    ])
      expect(await raw(gate, headers as Record<string, string>)).toMatchObject({
        status: 403,
        body: expect.stringContaining('TG_FOREIGN_ORIGIN'),
      });
    expect(world.upstream).toEqual([]);
    for (const headers of [
      {},
      { host: `localhost:${port}` },
      { origin: 'https://app.example.com' },
      { host: `localhost:${port}`, origin: `http://localhost:${port}` },
    ])
      expect((await raw(gate, headers as Record<string, string>)).status).not.toBe(403);
  });

  it('lets a page of an allowed origin ask and read, and no other (CORS)', async () => {
    const gate = await start({ allowed_origins: ['https://app.example.com'] });
    const preflight = (origin: string): Promise<Response> =>
      fetch(`${gate.url}/mcp/crm`, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'content-type, mcp-param-region, x-evil',
        },
      });
    const allowed = await preflight('https://app.example.com');
    expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([
      204,
      'https://app.example.com',
    ]);
    expect(allowed.headers.get('access-control-allow-headers')).toMatch(/authorization.*mcp-param-region$/);
    const refused = await preflight('https://evil.example');
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([403, null]);
    const answer = await knock(gate, { origin: 'https://app.example.com' });
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([
      401,
      'https://app.example.com',
    ]);
    expect(answer.headers.get('access-control-expose-headers')).toContain('www-authenticate');
    expect((await knock(gate)).headers.get('access-control-allow-origin')).toBeNull();
  });

  it('of the office is closed to foreign pages as well', async () => {
    const gate = await start();
    const { host } = new URL(gate.office);
    const ask = (headers: Record<string, string>): Promise<Response> => fetch(`${gate.office}/api/calls`, { headers });
    expect((await ask({ origin: 'https://evil.example' })).status).toBe(403);
    expect((await ask({ origin: 'null' })).status).toBe(403);
    expect([(await ask({})).status, (await ask({ origin: `http://${host}` })).status]).toEqual([200, 200]);
  });
});
