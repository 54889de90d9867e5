import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { epochMs } from '../../../gateway/domain/scalars.ts';
import type { McpCaller, McpServer } from '../../../gateway/ports/mcp-server.ts';
import { createGuardedFetch } from '../../../gateway/upstream/guarded-fetch.ts';
import { openUpstream } from '../../../gateway/upstream/http.ts';
import { openMcpHttp } from '../../../gateway/upstream/mcp-http.ts';
import {
  fixedCredential,
  grantedCredential,
  type OwnCredential,
  type TokenGrant,
} from '../../../gateway/upstream/own-credential.ts';

interface Asked {
  readonly authorization: string | undefined;
  readonly form: Record<string, string>;
}

let ticks = 0;
const clock = { now: () => epochMs(1_764_000_000_000), ticks: () => ticks };
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** An issuer that hands out numbered tokens, and a server that keeps what it is sent. */
interface World {
  readonly origin: string;
  readonly asked: Asked[];
  readonly sent: Record<string, unknown>[];
  answer: (n: number) => { status: number; body: unknown };
  refuse: (authorization: string | undefined) => number | undefined;
}
let world: World;

beforeEach(async () => {
  ticks = 0;
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    request.on('end', () => {
      if (request.url === '/token') {
        world.asked.push({
          authorization: request.headers.authorization,
          form: Object.fromEntries(new URLSearchParams(text)),
        });
        const { status, body } = world.answer(world.asked.length);
        response.writeHead(status).end(JSON.stringify(body));
        return;
      }
      world.sent.push({ ...request.headers });
      const status = world.refuse(request.headers.authorization);
      const challenge = {
        'www-authenticate': 'Bearer resource_metadata="https://theirs.example"',
        'set-cookie': 'a=b',
      };
      response.writeHead(status ?? 200, challenge).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  world = {
    origin,
    asked: [],
    sent: [],
    answer: (n) => ({ status: 200, body: { access_token: `token-${n}`, token_type: 'Bearer', expires_in: 600 } }),
    refuse: () => undefined,
  };
  closers.push(
    () => server.close(),
    () => server.closeAllConnections(),
  );
});

function granted(more: Partial<TokenGrant> = {}, allowLoopback = true): OwnCredential {
  return grantedCredential(
    {
      grant: 'client_credentials',
      issuer: world.origin,
      token_endpoint: `${world.origin}/token`,
      client_id: 'tollgate',
      client_secret: 's:ecret &',
      scopes: ['read', 'write'],
      resource: 'https://mcp.example.com/mcp',
      ...more,
    },
    {
      server: 'crm',
      clock,
      fetch: createGuardedFetch({ allowLoopback, timeoutMs: 1_000 }),
      readIssuer: async (issuer) => ({ issuer, jwksUri: undefined, tokenEndpoint: undefined }),
    },
  );
}
const ada: McpCaller = { principalId: 'ada', subjectToken: 'token-of-ada' };

describe('client credentials', () => {
  it('ask once for a token for this server, in the words of the standards', async () => {
    const own = granted();
    const all = await Promise.all([own.get(ada), own.get({ principalId: 'bob' }), own.get(ada)]);
    expect(all).toEqual(Array(3).fill({ bearer: 'token-1' }));
    expect(world.asked).toEqual([
      {
        authorization: `Basic ${Buffer.from('tollgate:s%3Aecret+%26').toString('base64')}`,
        form: { grant_type: 'client_credentials', resource: 'https://mcp.example.com/mcp', scope: 'read write' },
      },
    ]);
  });

  it('are renewed before they end', async () => {
    const own = granted();
    await own.get(ada);
    ticks = 539_000;
    expect(await own.get(ada)).toEqual({ bearer: 'token-1' });
    ticks = 540_001;
    expect(await own.get(ada)).toEqual({ bearer: 'token-2' });
  });

  it('with a short life are renewed at half of it', async () => {
    world.answer = (n) => ({ status: 200, body: { access_token: `token-${n}`, token_type: 'bearer', expires_in: 30 } });
    const own = granted();
    await own.get(ada);
    ticks = 14_999;
    expect(await own.get(ada)).toEqual({ bearer: 'token-1' });
    ticks = 15_001;
    expect(await own.get(ada)).toEqual({ bearer: 'token-2' });
  });

  it.each([
    [
      { status: 401, body: { error: 'invalid_client', error_description: 'secret s:ecret' } },
      'answered 401 (invalid_client)',
    ],
    [{ status: 400, body: { error: 'Evil <script>' } }, 'answered 400'],
    [{ status: 200, body: { token_type: 'Bearer' } }, 'no bearer token'],
    [{ status: 200, body: { access_token: 'x', token_type: 'DPoP' } }, 'no bearer token'],
    [{ status: 200, body: { access_token: 'x\r\ny', token_type: 'Bearer' } }, 'no bearer token'],
    [{ status: 302, body: {} }, 'redirects are not followed'],
  ])('that are not given (%j) say so, and are asked for again next time', async (answer, message) => {
    world.answer = () => answer;
    const own = granted();
    const fault = await own.get(ada).then(
      () => undefined,
      (error: Error) => error,
    );
    expect(fault).toMatchObject({ code: 'TG_UPSTREAM_AUTH', status: 502, message: expect.stringContaining(message) });
    expect(fault?.message).not.toMatch(/ecret|script/);
    world.answer = () => ({ status: 200, body: { access_token: 'now', token_type: 'Bearer' } });
    expect(await own.get(ada)).toEqual({ bearer: 'now' });
  });

  it('are not fetched from inside the network, nor without an endpoint', async () => {
    await expect(granted({}, false).get(ada)).rejects.toMatchObject({
      code: 'TG_UPSTREAM_AUTH',
      message: expect.stringContaining('not https'),
    });
    await expect(granted({ token_endpoint: undefined }).get(ada)).rejects.toThrow('names no token endpoint');
  });
});

describe('token exchange', () => {
  it('turns the caller’s token into one for this server, one for each caller', async () => {
    const own = granted({ grant: 'token_exchange', scopes: [] });
    expect(await own.get(ada)).toEqual({ bearer: 'token-1' });
    expect(await own.get({ principalId: 'bob', subjectToken: 'token-of-bob' })).toEqual({ bearer: 'token-2' });
    expect(await own.get(ada)).toEqual({ bearer: 'token-1' });
    expect(world.asked[0]?.form).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      resource: 'https://mcp.example.com/mcp',
      subject_token: 'token-of-ada',
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    });
  });

  it('needs a caller with a token, and never sends that one on', async () => {
    const own = granted({ grant: 'token_exchange' });
    await expect(own.get({ principalId: 'key' })).rejects.toMatchObject({
      code: 'TG_UPSTREAM_AUTH',
      message: expect.stringContaining('a gateway key does not do'),
    });
    world.answer = () => ({ status: 200, body: { access_token: 'token-of-ada', token_type: 'Bearer' } });
    await expect(own.get(ada)).rejects.toThrow("caller's own token");
  });
});

describe('a server over HTTP', () => {
  function open(credential: OwnCredential): McpServer {
    const upstream = openUpstream();
    closers.push(() => upstream.close());
    return openMcpHttp({ name: 'crm', url: `${world.origin}/mcp?a=1`, upstream, credential });
  }
  const headers = {
    authorization: 'Bearer token-of-ada',
    cookie: 'session=1',
    origin: 'https://app.example',
    dpop: 'x',
    'x-tollgate-key': 'tg_x',
    'mcp-session-id': 's1',
  };
  const ask = async (server: McpServer): Promise<Awaited<ReturnType<McpServer['exchange']>>> => {
    const answer = await server.exchange({
      method: 'POST',
      headers,
      body: Buffer.from('{}'),
      caller: ada,
      signal: new AbortController().signal,
    });
    for await (const chunk of answer.body) expect(chunk.length).toBeGreaterThan(0);
    return answer;
  };

  it('never sees what the caller authenticates with, and its challenges and cookies stay here', async () => {
    for (const credential of [
      fixedCredential(undefined),
      fixedCredential({ bearer: 'own' }),
      fixedCredential({ header: 'x-api-key', value: 'own' }),
      granted(),
    ]) {
      const answer = await ask(open(credential));
      expect(Object.keys(answer.headers).filter((name) => /authenticate|cookie/.test(name))).toEqual([]);
    }
    expect(world.sent.map(({ authorization, 'x-api-key': key }) => [authorization, key])).toEqual([
      [undefined, undefined],
      ['Bearer own', undefined],
      [undefined, 'own'],
      ['Bearer token-1', undefined],
    ]);
    for (const seen of world.sent) {
      expect(seen).toHaveProperty('mcp-session-id', 's1');
      expect(JSON.stringify(seen)).not.toMatch(/token-of-ada|session=1|app\.example|tg_x|dpop/);
    }
  });

  it.each([401, 403])(
    'that refuses the gate with %i is the operator’s matter, and its challenge is not relayed',
    async (status) => {
      world.refuse = () => status;
      await expect(ask(open(fixedCredential({ bearer: 'own' })))).rejects.toMatchObject({
        code: 'TG_UPSTREAM_AUTH',
        message: `the MCP server \`crm\` refused the gate's own credential (${status}); tell the operator of the gate`,
      });
    },
  );

  it('that no longer takes a token gets a fresh one, once', async () => {
    world.refuse = (authorization) => (authorization === 'Bearer token-1' ? 401 : undefined);
    const server = open(granted());
    expect((await ask(server)).status).toBe(200);
    expect(world.sent).toHaveLength(2);
    world.refuse = () => 401;
    await expect(ask(server)).rejects.toMatchObject({ code: 'TG_UPSTREAM_AUTH' });
    expect([world.sent.length, world.asked.length]).toEqual([4, 3]);
  });
});
