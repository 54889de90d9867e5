import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Fault } from '../../../gateway/domain/fault.ts';
import { epochMs } from '../../../gateway/domain/scalars.ts';
import { keyHash } from '../../../gateway/identity/api-key.ts';
import { createIdentity } from '../../../gateway/identity/identity.ts';
import { createMcpAccess } from '../../../gateway/identity/mcp-access.ts';
import { issuerReader, metadataUrls } from '../../../gateway/identity/read-issuer.ts';
import type { Arrival } from '../../../gateway/ports/identity.ts';
import type { KeyRecord, Keys } from '../../../gateway/ports/keys.ts';
import type { McpAccess } from '../../../gateway/ports/mcp-access.ts';
import { createGuardedFetch } from '../../../gateway/upstream/guarded-fetch.ts';

const BASE = 'https://gate.example.com';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });

interface Idp {
  readonly issuer: string;
  /** paths that were asked for */
  readonly asked: string[];
  jwks: object[];
  up: boolean;
  metadata: Record<string, unknown>;
}
let idp: Idp;
let now = 1_764_000_000_000;
let ticks = 0;
const clock = { now: () => epochMs(now), ticks: () => ticks };
let close: () => void;

beforeEach(async () => {
  now = 1_764_000_000_000;
  ticks = 0;
  const server = createServer((request, response) => {
    idp.asked.push(request.url as string);
    const body =
      request.url === '/jwks'
        ? { keys: idp.jwks }
        : request.url === '/.well-known/oauth-authorization-server'
          ? idp.metadata
          : undefined;
    response.writeHead(idp.up ? (body ? 200 : 404) : 500).end(JSON.stringify(body ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  idp = {
    issuer,
    asked: [],
    jwks: [await jwk(rsa.publicKey, 'k1')],
    up: true,
    metadata: { issuer, jwks_uri: `${issuer}/jwks` },
  };
  close = () => {
    server.closeAllConnections();
    server.close();
  };
});
afterEach(() => {
  vi.useRealTimers();
  close();
});

const jwk = async (key: KeyObject, kid: string, more: object = {}): Promise<object> => ({
  ...(await exportJWK(key)),
  kid,
  use: 'sig',
  ...more,
});

const record: KeyRecord = { id: 'key_1', tenant: 'acme', human: 'ada', agent: 'bot', createdAt: epochMs(0) };
const keys: Keys = {
  find: async (hash) => (hash === keyHash('tg_known') ? record : undefined),
  add: async () => undefined,
  revoke: async () => false,
  list: async () => [record],
};

type Issuer = Parameters<typeof createMcpAccess>[0]['oauth'] extends infer T
  ? T extends { issuers: readonly (infer I)[] }
    ? I
    : never
  : never;

function open(
  issuer: Partial<Issuer> = {},
  scopes: readonly string[] = [],
  access: 'open' | 'keys' = 'keys',
): McpAccess {
  const fetch = createGuardedFetch({ allowLoopback: true, timeoutMs: 2_000 });
  return createMcpAccess({
    identity: createIdentity(access, keys, clock),
    admit: () => undefined,
    oauth: {
      resource: `${BASE}/`,
      scopes,
      endpoints: ['/mcp', '/mcp/files'],
      issuers: [
        {
          issuer: idp.issuer,
          algorithms: ['RS256', 'ES256'],
          audiences: [],
          human_claim: 'sub',
          agent_claim: 'client_id',
          ...issuer,
        },
      ],
      room: { fetch, readIssuer: issuerReader(fetch, clock), clock },
    },
  });
}

interface Token {
  readonly claims?: Record<string, unknown>;
  readonly header?: Record<string, unknown>;
  readonly key?: KeyObject;
}

const seconds = (): number => Math.floor(now / 1000);
function token({ claims = {}, header = {}, key = rsa.privateKey }: Token = {}): Promise<string> {
  const all = {
    iss: idp.issuer,
    sub: 'ada',
    client_id: 'cursor',
    aud: `${BASE}/mcp/files`,
    exp: seconds() + 300,
    ...claims,
  };
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return new SignJWT(given).setProtectedHeader({ alg: 'RS256', kid: 'k1', typ: 'at+jwt', ...header }).sign(key);
}
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const arrival = (authorization?: string, more: Partial<Arrival> = {}): Arrival => ({
  method: 'POST',
  url: '/mcp/files',
  headers: authorization === undefined ? {} : { authorization },
  ip: '127.0.0.1',
  ...more,
});
const enter = (access: McpAccess, jwt: string, endpoint = '/mcp/files') =>
  access.authenticate(arrival(`Bearer ${jwt}`), endpoint);
const refused = (access: McpAccess, jwt: string, message: string, code = 'TG_BAD_KEY') =>
  expect(enter(access, jwt)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });

describe('an access token', () => {
  it('names tenant, human and agent, verified', async () => {
    const caller = await enter(open({ tenant_claim: 'org' }), await token({ claims: { org: 'acme', scope: 'a b' } }));
    expect(caller).toMatchObject({
      tenant: { id: 'acme', source: 'token:org', assurance: 'verified' },
      human: { id: 'ada', source: 'token:sub', assurance: 'verified' },
      agent: { id: 'cursor', source: 'token:client_id', assurance: 'verified' },
      ownsGatewayKey: true,
      scopes: ['a', 'b'],
    });
  });

  it('of a client for itself names no human; the actor of a delegation is the agent', async () => {
    const access = open();
    const machine = await enter(access, await token({ claims: { sub: 'cursor' } }));
    expect([machine.human, machine.agent?.id]).toEqual([undefined, 'cursor']);
    const acting = await enter(access, await token({ claims: { act: { sub: 'sub-agent' } } }));
    expect([acting.human?.id, acting.agent?.id, acting.agent?.source]).toEqual(['ada', 'sub-agent', 'token:act']);
  });

  it('of the same caller is the same key, of another it is not', async () => {
    const access = open();
    const key = async (claims: Record<string, unknown>): Promise<string | undefined> =>
      (await enter(access, await token({ claims }))).key;
    const ada = await key({});
    expect(await key({ jti: 'another' })).toBe(ada);
    expect(
      new Set([
        ada,
        await key({ sub: 'bob' }),
        await key({ client_id: 'zed' }),
        await key({ sub: undefined }),
        await key({ act: { sub: 'x' } }),
      ]).size,
    ).toBe(5);
  });

  it('with a key of each taken algorithm holds', async () => {
    idp.jwks.push(await jwk(ec.publicKey, 'k2', { alg: 'ES256' }));
    const access = open();
    await enter(access, await token());
    await enter(access, await token({ header: { alg: 'ES256', kid: 'k2' }, key: ec.privateKey }));
  });

  it('is for one endpoint', async () => {
    const access = open();
    const both = await token({ claims: { aud: [`${BASE}/mcp`, `${BASE}/mcp/files`] } });
    await enter(access, both, '/mcp');
    await enter(access, both);
    await expect(enter(access, await token(), '/mcp')).rejects.toMatchObject({
      code: 'TG_BAD_KEY',
      message: expect.stringContaining('`resource=https://gate.example.com/mcp`'),
    });
  });

  it.each([
    'https://other.example.com/mcp/files',
    `${BASE}/mcp/files/`,
    `${BASE}/mcp/filesx`,
    `${BASE}/mcp`,
    BASE,
    '',
    [],
    undefined,
    'HTTPS://gate.example.com/mcp/files',
  ])('for `%s` is refused', async (aud) => {
    await refused(
      open(),
      await token({ claims: { aud } }),
      aud === undefined ? '`aud` is missing' : 'not for this endpoint',
    );
  });

  it('for an audience that the operator named is taken', async () => {
    await enter(open({ audiences: ['api://gate'] }), await token({ claims: { aud: 'api://gate' } }));
  });

  it('holds in its time', async () => {
    const access = open();
    await refused(access, await token({ claims: { exp: seconds() - 31 } }), 'has expired');
    await refused(access, await token({ claims: { nbf: seconds() + 31 } }), '`nbf`');
    await refused(access, await token({ claims: { exp: undefined } }), '`exp`');
    await refused(access, await token({ claims: { exp: 'soon' } }), '`exp`');
    const jwt = await token({ claims: { exp: seconds() + 40 } });
    await enter(access, jwt);
    now += 75_000;
    await refused(access, jwt, 'has expired');
  });

  it.each([
    ['for another purpose', { header: { typ: 'logout+jwt' } }, 'another purpose'],
    ['that is bound to a key', { claims: { cnf: { jkt: 'x' } } }, 'only bearer tokens'],
    ['of nobody', { claims: { sub: undefined, client_id: undefined } }, 'names neither'],
    ['of another issuer', { claims: { iss: 'https://evil.example' } }, 'issuer that is not taken'],
    ['of an issuer that almost is', { claims: { iss: undefined } }, 'issuer that is not taken'],
  ] as const)('%s is refused', async (_name, made, message) => {
    await refused(open(), await token(made as Token), message);
  });

  it('without its tenant is refused where one has to be named', async () => {
    await refused(open({ tenant_claim: 'org' }), await token(), 'does not name its tenant');
  });
});

describe('a forged token', () => {
  const payload = (): object => ({ iss: idp.issuer, sub: 'ada', aud: `${BASE}/mcp/files`, exp: seconds() + 300 });

  it.each(['none', 'None', 'NONE', ''])('with algorithm `%s` is refused', async (alg) => {
    for (const signature of ['', 'AAAA'])
      await refused(open(), `${encode({ alg, kid: 'k1' })}.${encode(payload())}.${signature}`, 'access token');
  });

  it('with HS256 over the public key is refused', async () => {
    for (const secret of [
      rsa.publicKey.export({ type: 'spki', format: 'pem' }),
      rsa.publicKey.export({ type: 'spki', format: 'der' }),
    ]) {
      const signed = `${encode({ alg: 'HS256', kid: 'k1', typ: 'JWT' })}.${encode(payload())}`;
      await refused(
        open(),
        `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`,
        'algorithm that is not taken',
      );
    }
    expect(() => open({ algorithms: ['HS256'] })).toThrow('algorithm `HS256` is not taken');
    expect(() => open({ algorithms: ['none'] })).toThrow('algorithm `none` is not taken');
  });

  it('with an algorithm the issuer has but the operator did not name is refused', async () => {
    await refused(open({ algorithms: ['ES256'] }), await token(), 'algorithm that is not taken');
  });

  it('signed by another key under a known `kid`, an unknown one or none is refused', async () => {
    const access = open();
    await refused(access, await token({ key: other.privateKey }), 'signature');
    await refused(access, await token({ key: other.privateKey, header: { kid: undefined } }), 'signature');
    for (const kid of ['k9', '../../etc/passwd', "' OR 1=1", 'http://evil.example/jwks'])
      await refused(access, await token({ key: other.privateKey, header: { kid } }), 'does not publish');
  });

  it('that brings its own key or names where to get one is refused, and nothing is fetched', async () => {
    const own = await exportJWK(other.publicKey);
    for (const header of [{ jwk: own }, { jku: 'https://evil.example/jwks' }, { x5u: 'https://evil.example/x' }])
      await refused(open(), await token({ key: other.privateKey, header }), 'signature');
    expect(new Set(idp.asked)).toEqual(new Set(['/.well-known/oauth-authorization-server', '/jwks']));
  });

  it('with an RSA key id on an EC algorithm is refused', async () => {
    await refused(open(), await token({ key: ec.privateKey, header: { alg: 'ES256' } }), 'does not publish');
  });

  it('whose payload was changed is refused', async () => {
    const [header, , signature] = (await token()).split('.');
    await refused(open(), `${header}.${encode({ ...payload(), sub: 'root' })}.${signature}`, 'signature');
  });

  it.each(['', 'x', 'a.b', 'a.b.c', 'a.b.c.d.e', `${'x'.repeat(20_000)}`, 'eyJhbGciOiJSUzI1NiJ9..'])(
    '`%s` is refused',
    async (jwt) => {
      await expect(enter(open(), jwt)).rejects.toBeInstanceOf(Fault);
    },
  );

  it('with a critical header nobody knows is refused', async () => {
    const signed = await token();
    const [, body, signature] = signed.split('.');
    await refused(
      open(),
      `${encode({ alg: 'RS256', kid: 'k1', crit: ['x'], x: 1 })}.${body}.${signature}`,
      'access token',
    );
  });
});

describe('the keys of an issuer', () => {
  it('are fetched once, and again for a key that came later', async () => {
    const access = open();
    await Promise.all([enter(access, await token()), enter(access, await token({ claims: { jti: '2' } }))]);
    expect(idp.asked).toEqual(['/.well-known/oauth-authorization-server', '/jwks']);
    idp.jwks = [await jwk(other.publicKey, 'k2')];
    // inside the cooldown nobody is asked again, however many unknown keys are named
    for (let i = 0; i < 5; i += 1)
      await refused(access, await token({ header: { kid: `x${i}` }, key: other.privateKey }), 'does not publish');
    expect(idp.asked).toHaveLength(2);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31_000 });
    await enter(access, await token({ header: { kid: 'k2' }, key: other.privateKey }));
    await refused(access, await token({ claims: { jti: '3' } }), 'does not publish');
    expect(idp.asked).toHaveLength(3);
  });

  it('that cannot be had are not the caller’s fault, and are not asked for with every token', async () => {
    idp.up = false;
    const access = open({ jwks_uri: `${idp.issuer}/jwks` });
    for (let i = 0; i < 5; i += 1)
      await refused(access, await token({ claims: { jti: `${i}` } }), 'cannot be had', 'TG_KEYS_UNAVAILABLE');
    expect(idp.asked).toHaveLength(1);
    idp.up = true;
    ticks += 6_000;
    await enter(access, await token());
  });

  it('of another issuer behind the same address are refused', async () => {
    idp.metadata = { issuer: `${idp.issuer}/`, jwks_uri: `${idp.issuer}/jwks` };
    await refused(open(), await token(), 'cannot be had', 'TG_KEYS_UNAVAILABLE');
    expect(idp.asked).not.toContain('/jwks');
  });

  it('inside the network are not fetched, whoever names them', async () => {
    idp.metadata = { issuer: idp.issuer, jwks_uri: 'https://169.254.169.254/jwks' };
    await refused(open(), await token(), 'cannot be had', 'TG_KEYS_UNAVAILABLE');
  });

  it('are looked for where the standards put the metadata', () => {
    expect(metadataUrls('https://idp.example/tenant/1')).toEqual([
      'https://idp.example/.well-known/oauth-authorization-server/tenant/1',
      'https://idp.example/.well-known/openid-configuration/tenant/1',
      'https://idp.example/tenant/1/.well-known/openid-configuration',
    ]);
    expect(metadataUrls('https://idp.example/')).toHaveLength(2);
  });
});

describe('who knocks', () => {
  it('with a gateway key enters as before; with nothing does not', async () => {
    const access = open();
    expect(await access.authenticate(arrival('Bearer tg_known'), '/mcp')).toMatchObject({
      key: 'key_1',
      scopes: [],
      tenant: { assurance: 'keyed' },
    });
    expect(
      await access.authenticate(arrival(undefined, { headers: { 'x-tollgate-key': 'tg_known' } }), '/mcp'),
    ).toMatchObject({ key: 'key_1' });
    await expect(access.authenticate(arrival('Bearer tg_unknown'), '/mcp')).rejects.toMatchObject({
      code: 'TG_BAD_KEY',
    });
    for (const header of [undefined, '', 'Basic YTpi', 'Bearer', 'Bearer a b', 'token'])
      await expect(access.authenticate(arrival(header), '/mcp')).rejects.toMatchObject({ code: 'TG_NO_KEY' });
  });

  it('with something that only looks like a credential does not, also where the rest of the gate is open', async () => {
    for (const access of [open(), open({}, [], 'open')])
      for (const headers of [
        {},
        { 'x-tollgate-key': 'junk' },
        { 'x-tollgate-key': 'Bearer junk' },
        { 'x-api-key': 'x' },
        { authorization: 'Bearer\ttg_known' },
      ])
        await expect(access.authenticate(arrival(undefined, { headers }), '/mcp')).rejects.toMatchObject({
          code: 'TG_NO_KEY',
        });
    const known = { headers: { 'x-tollgate-key': 'tg_known' } };
    expect(await open({}, [], 'open').authenticate(arrival(undefined, known), '/mcp')).toMatchObject({ key: 'key_1' });
  });

  it('with a token in the URL does not, whatever else is sent', async () => {
    const jwt = await token();
    for (const authorization of [undefined, `Bearer ${jwt}`])
      await expect(
        open().authenticate(arrival(authorization, { url: `/mcp/files?a=1&access_token=${jwt}` }), '/mcp/files'),
      ).rejects.toMatchObject({
        code: 'TG_NO_KEY',
        message: expect.stringContaining('in the URL is not taken'),
      });
  });

  it('without a scope is told every scope at once', async () => {
    const access = open({}, ['mcp:read', 'mcp:call']);
    const jwt = await token({ claims: { scp: ['mcp:read'] } });
    const fault = await enter(access, jwt).then(
      () => undefined,
      (error: Fault) => error,
    );
    expect(fault).toMatchObject({
      code: 'TG_SCOPE',
      status: 403,
      message: expect.stringContaining('lacks `mcp:call`'),
    });
    expect(access.challenge(fault as Fault, arrival(), '/mcp/files')).toBe(
      `Bearer resource_metadata="${BASE}/.well-known/oauth-protected-resource/mcp/files", scope="mcp:read mcp:call", error="insufficient_scope", error_description="${(fault as Fault).message}"`,
    );
    await enter(access, await token({ claims: { scope: 'x mcp:call mcp:read' } }));
  });

  it('finds the metadata of each endpoint (RFC 9728), and no other', () => {
    const access = open({}, ['mcp:call']);
    const at = (path: string): unknown =>
      JSON.parse(access.metadata(arrival(), `/.well-known/oauth-protected-resource${path}`) ?? 'null');
    expect(at('/mcp/files')).toEqual({
      resource: `${BASE}/mcp/files`,
      authorization_servers: [idp.issuer],
      bearer_methods_supported: ['header'],
      scopes_supported: ['mcp:call'],
      resource_name: 'Tollgate',
    });
    expect(at('')).toMatchObject({ resource: `${BASE}/mcp` });
    expect([at('/mcp/other'), at('/admin'), at('x/mcp')]).toEqual([null, null, null]);
    expect(access.challenge(new Fault('TG_NO_KEY', 'no'), arrival(), '/mcp')).toBe(
      `Bearer resource_metadata="${BASE}/.well-known/oauth-protected-resource/mcp", scope="mcp:call"`,
    );
    expect(access.challenge(new Fault('TG_BAD_KEY', 'a "quoted"\r\nline é'), arrival(), '/mcp')).toContain(
      `error="invalid_token", error_description="a 'quoted'''line '"`,
    );
  });

  it('needs a gateway key where no issuer is configured', async () => {
    const access = createMcpAccess({ identity: createIdentity('keys', keys, clock), admit: () => undefined });
    expect(await access.authenticate(arrival('Bearer tg_known'), '/mcp')).toMatchObject({ key: 'key_1' });
    await expect(access.authenticate(arrival(`Bearer ${await token()}`), '/mcp')).rejects.toMatchObject({
      code: 'TG_NO_KEY',
    });
    expect(access.metadata(arrival(), '/.well-known/oauth-protected-resource')).toBeUndefined();
  });
});
