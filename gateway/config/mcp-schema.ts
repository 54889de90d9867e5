import { z } from 'zod';
import { isLoopback } from './loopback.ts';

const webUrl = z
  .string()
  .refine(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    'an http or https URL, such as https://mcp.example.com/mcp',
  );

/** Tokens and answers travel there: nothing but this machine may be spoken to in clear, and no password stands in a URL. */
const safeUrl = webUrl.refine((text) => {
  if (!URL.canParse(text)) return true;
  const { protocol, hostname, username, password } = new URL(text);
  return username === '' && password === '' && (protocol !== 'http:' || isLoopback(hostname));
}, 'https to another machine (http is for loopback addresses), and no name or password in it');

/** How callers reach the gate: they get there over TLS, whoever ends it. */
const ownUrl = webUrl.refine(
  (text) => !URL.canParse(text) || (new URL(text).pathname === '/' && !/[?#]/.test(text)),
  'scheme, host and port alone: the paths are the gate’s own',
);

/** Algorithms with a public key; a symmetric one would make every verifier an issuer. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
] as const;

/** The gate's own credential for a server; the caller's is never passed through. */
const credential = z.union([
  z.strictObject({ bearer: z.string().min(1) }),
  z.strictObject({ header: z.string().regex(/^[a-z0-9-]+$/, 'a header name in lower case'), value: z.string().min(1) }),
  z.strictObject({
    oauth: z.strictObject({
      grant: z.enum(['client_credentials', 'token_exchange']).default('client_credentials'),
      issuer: safeUrl,
      /** absent: read from the issuer's metadata */
      token_endpoint: safeUrl.optional(),
      client_id: z.string().min(1),
      client_secret: z.string().min(1),
      scopes: z.array(z.string().min(1)).default([]),
      /** RFC 8707; absent: the server's own URL */
      resource: webUrl.optional(),
    }),
  }),
]);

/** What either kind of server may have. */
const both = {
  /** exposed tool name by the server's own, where `<server>__<tool>` does not fit */
  aliases: z
    .record(z.string().min(1), z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'at most 64 letters, digits, `_` and `-`'))
    .default({}),
  /** prefixes of the resource URIs it owns on the federated endpoint */
  resources: z.array(z.string().min(1)).default([]),
  /** served at `/mcp` too; `/mcp/<server>` is always there */
  federated: z.boolean().default(true),
  /** `auto`: as it answers a probe */
  era: z.enum(['auto', 'legacy', 'modern']).default('auto'),
  /** a process or connection of the gate's own that nobody uses for so long is ended */
  idle_s: z.number().positive().default(600),
};

const stdioServer = z.strictObject({
  ...both,
  command: z.array(z.string().min(1)).min(1),
  /** set for the process; nothing else of the gate's environment but PATH, HOME, LANG and TZ reaches it */
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'a variable name'), z.string()).default({}),
  cwd: z.string().min(1).optional(),
  uid: z.int().min(0).optional(),
  gid: z.int().min(0).optional(),
  /** who shares a process: `initialize` is process-wide, so a legacy server has one per session */
  share: z.enum(['session', 'principal', 'everyone']).default('session'),
  /** most processes of it at one time */
  max_processes: z.int().min(1).max(10_000).default(100),
  /** most sessions of one caller, so that nobody takes them all */
  max_per_principal: z.int().min(1).max(10_000).default(20),
});

const webServer = z.strictObject({
  ...both,
  url: safeUrl,
  credential: credential.optional(),
  /** the transport of 2024-11-05 */
  sse_legacy: z.boolean().default(false),
});

const issuer = z.strictObject({
  issuer: safeUrl,
  /** absent: read from the issuer's metadata */
  jwks_uri: safeUrl.optional(),
  algorithms: z.array(z.enum(ALGORITHMS)).min(1).default(['RS256', 'ES256', 'EdDSA']),
  /** further `aud` values that mean this gate, for issuers that cannot name a resource (RFC 8707) */
  audiences: z.array(z.string().min(1)).default([]),
  /** claims that name tenant, human and agent */
  tenant_claim: z.string().min(1).optional(),
  human_claim: z.string().min(1).default('sub'),
  agent_claim: z.string().min(1).default('client_id'),
});

/** The MCP plane: servers, approved definitions, and who may knock. */
export const mcpSchema = z.strictObject({
  servers: z.record(
    z
      .string()
      .regex(
        /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/,
        'a server is named in lower case letters, digits and `-`, at most 32',
      ),
    z.union([stdioServer, webServer]),
  ),
  pins: z
    .strictObject({
      /** the lock file under version control */
      file: z.string().min(1).default('./mcp-pins.yaml'),
      /** `locked`: what nobody approved is hidden; `first-use`: the first sight is taken as approved */
      mode: z.enum(['locked', 'first-use']).default('locked'),
      max_age_s: z.number().positive().default(60),
    })
    .prefault({}),
  /** further Host names the plane answers to; loopback names and the listening address always are */
  allowed_hosts: z.array(z.string().min(1)).default([]),
  /** origins of web pages that may call; none unless named */
  allowed_origins: z.array(z.string().min(1)).default([]),
  /** the gate as an OAuth resource server; absent: gateway keys alone */
  oauth: z
    .strictObject({
      /** how callers reach the gate, without a path: the start of every canonical `resource` */
      resource: ownUrl,
      issuers: z.array(issuer).min(1),
      /** scopes every caller needs */
      scopes: z.array(z.string().min(1)).default([]),
    })
    .optional(),
  /** serve the transport of 2024-11-05 as well, at `/mcp/<server>/sse` */
  sse_legacy: z.boolean().default(false),
  /** 32 bytes in base64 that handles are sealed with, newest first; absent: made once and kept in the state folder */
  seal_keys: z.array(z.string().min(1)).default([]),
  limits: z
    .strictObject({
      request_mb: z.number().positive().max(64).default(4),
      /** of one message or event that has to be read */
      message_mb: z.number().positive().max(256).default(16),
      depth: z.int().min(8).max(512).default(64),
      nodes: z.int().min(1_000).max(10_000_000).default(100_000),
      session_s: z.number().positive().default(86_400),
      rounds: z.int().min(1).max(64).default(16),
    })
    .prefault({}),
});

export type McpConfig = z.output<typeof mcpSchema>;
export type McpServerConfig = McpConfig['servers'][string];
