import { z } from 'zod';
import { SCOPES, WINDOWS } from '../domain/budget.ts';
import { usdToNano } from '../domain/money.ts';
import { NAME_PATTERN, NAME_PATTERN_ADVICE } from '../domain/name-pattern.ts';
import { nano } from '../domain/scalars.ts';
import { mcpSchema } from './mcp-schema.ts';

/** US dollars: a number or a decimal string, more than zero, at most nine decimals. */
const usd = z.union([z.number(), z.string()]).transform((value, ctx) => {
  try {
    const amount = usdToNano(typeof value === 'number' ? String(value) : value);
    if (amount > 0n) return amount;
    ctx.addIssue({ code: 'custom', message: 'a limit is more than zero' });
  } catch (error) {
    ctx.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'no amount in US dollars' });
  }
  return z.NEVER;
});

const credential = z.union([
  z.strictObject({ bearer: z.string().min(1) }),
  z.strictObject({ header: z.string().regex(/^[a-z0-9-]+$/, 'a header name in lower case'), value: z.string().min(1) }),
  z.strictObject({
    sigv4: z.strictObject({
      region: z.string().regex(/^[a-z0-9-]+$/, 'a region such as `us-east-1`'),
      service: z.string().min(1).optional(),
      access_key_id: z.string().min(1),
      secret_access_key: z.string().min(1),
      session_token: z.string().min(1).optional(),
    }),
  }),
]);

const route = z.union([
  z.string().regex(/^[a-z0-9_-]+$/, 'the first path segment below the version, such as `models`'),
  z.strictObject({
    name: z.string().regex(/^[a-z0-9_-]+$/),
    methods: z.array(z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])).min(1),
  }),
]);

const baseUrl = z
  .string()
  .refine(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    'an http or https URL, such as https://api.example.com',
  );

const upstream = z.strictObject({
  base_url: baseUrl,
  dialects: z.array(z.string()).min(1),
  credential: credential.optional(),
  /** the price table's provider, where it is not called like the upstream */
  prices: z.string().optional(),
  routes: z.array(route).default([]),
  /** whether a chat stream shows its usage: when it is asked to, unasked (and it refuses to be asked), or never */
  usage_in_stream: z.enum(['on_request', 'always', 'never']).default('on_request'),
  /** the member a clamp writes where the caller set no cap; default: the language's own */
  output_cap: z.enum(['max_tokens', 'max_completion_tokens']).optional(),
  /** what callers name instead of a model → the model it stands for, for prices and rules */
  deployments: z.record(z.string().min(1), z.string().min(1)).optional(),
});

const most = z.int().min(1).max(1_000_000_000_000);

/** one limit: of money, or of requests or tokens in any stretch of time as long as the window */
const budget = z
  .strictObject({
    scope: z.enum(SCOPES),
    window: z.enum(WINDOWS).optional(),
    limit_usd: usd.optional(),
    limit_requests: most.optional(),
    limit_tokens: most.optional(),
    match: z.string().min(1).regex(NAME_PATTERN, `a \`match\` ${NAME_PATTERN_ADVICE}`).optional(),
  })
  .superRefine((limit, ctx) => {
    const set = [limit.limit_usd, limit.limit_requests, limit.limit_tokens].filter((value) => value !== undefined);
    if (set.length !== 1)
      ctx.addIssue({ code: 'custom', message: 'set exactly one of `limit_usd`, `limit_requests`, `limit_tokens`' });
    else if (limit.limit_usd === undefined && limit.window === 'total')
      ctx.addIssue({
        code: 'custom',
        path: ['window'],
        message: 'a rate needs an end: say minute, hour, day or month',
      });
  });

const remoteDetector = z.strictObject({
  url: baseUrl,
  shape: z.enum(['presidio', 'tollgate']),
  /** what it can report, as it calls it; for Presidio those it knows out of the box where left out */
  kinds: z
    .array(z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, 'a kind is letters, digits, `_` and `-`, such as PERSON'))
    .min(1)
    .optional(),
  language: z.string().min(2).default('en'),
  /** findings below are left out */
  min_score: z.number().min(0).max(1).default(0.5),
  /** the longest a call waits for it, each time it is asked */
  timeout_ms: z.int().min(10).max(60_000).default(1_000),
  bearer: z.string().min(1).optional(),
  max_concurrent: z.int().min(1).max(256).default(8),
  /** a longer text is not sent; rules then take its kinds as found */
  max_chars: z.int().min(1).max(10_000_000).default(100_000),
  breaker: z
    .strictObject({
      failures: z.int().min(1).max(1_000).default(5),
      open_s: z.number().positive().max(3_600).default(10),
    })
    .prefault({}),
});

/** what looks at texts besides the gate's own detectors */
const detectors = z
  .strictObject({
    remote: z
      .record(
        z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/, 'a detector is named in lower case letters, digits, `_` and `-`'),
        remoteDetector,
      )
      .default({}),
  })
  .prefault({});

const redisUrl = z
  .string()
  .refine(
    (text) => URL.canParse(text) && /^rediss?:$/.test(new URL(text).protocol),
    'a redis or rediss URL, such as redis://127.0.0.1:6379',
  );

const allowance = z.union([z.literal(0).transform(() => nano(0n)), usd]).default(nano(0n));

/** the store that several gateways share; without it each has its own */
const store = z.strictObject({
  redis: redisUrl,
  /** the longest a budgeted call waits for it */
  timeout_ms: z.int().min(10).max(60_000).default(1_000),
  /** how many replicas must have a hold or charge before it counts: a failover then loses none */
  replicas: z.int().min(0).max(16).default(0),
  /** how long money is leased to a gateway, which then grants calls without asking; 0: every budgeted call asks */
  lease_ms: z
    .union([
      z.literal(0),
      z.int().min(1_000, 'a lease of less than 1000 ms saves no question; 0 turns leases off').max(600_000),
    ])
    .default(0),
  /** what each gateway may spend while it is away; 0: budgeted calls are refused then */
  allowance_usd: allowance,
});

const limits = z
  .strictObject({
    request_mb: z.number().positive().max(1024).default(64),
    reply_mb: z.number().positive().max(1024).default(64),
    min_useful_tokens: z.int().min(1).default(1024),
    lease_s: z.number().positive().default(600),
    keep_alive_s: z.number().positive().default(15),
    on_abort: z.enum(['drain', 'cancel']).default('drain'),
    drain_s: z.number().min(0).default(30),
    drain_mb: z.number().min(0).default(1),
    headers_timeout_s: z.number().positive().default(600),
    idle_timeout_s: z.number().positive().default(600),
    shutdown_s: z.number().min(0).default(30),
    /** most calls and WebSockets at a time; absent: as many as there are files for */
    calls: z.int().min(1).optional(),
  })
  .prefault({});

/** The configuration file: strict keys everywhere, so that a typo is an error and not a default. */
export const configSchema = z.strictObject({
  listen: z
    .strictObject({ host: z.string().min(1).default('127.0.0.1'), port: z.int().min(0).max(65535).default(8787) })
    .prefault({}),
  office: z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1'),
      port: z.int().min(0).max(65535).default(8788),
      /** further Host names the office answers to */
      hosts: z.array(z.string().min(1)).default([]),
      /** it has no login: whoever reaches it reads every call. Said aloud before it listens beyond this machine */
      unauthenticated: z.boolean().default(false),
    })
    .prefault({}),
  upstreams: z
    .record(
      z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'an upstream is named in lower case letters, digits and `-`'),
      upstream,
    )
    .default({}),
  mcp: mcpSchema.optional(),
  access: z.enum(['open', 'keys']).default('open'),
  state: z.string().min(1).default('./data'),
  store: store.optional(),
  policies: z.string().min(1).optional(),
  pricing: z.string().min(1).optional(),
  budgets: z.array(budget).default([]),
  detectors,
  /** where receipts are shipped to; each kind reads its own options */
  sinks: z.array(z.looseObject({ type: z.string() })).default([]),
  limits,
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info') }).prefault({}),
});

export type Config = z.output<typeof configSchema>;
