import { crc32 } from 'node:zlib';

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const DIGITS = '0123456789';
const HEX = `${DIGITS}abcdef`;
const ALNUM = `${LOWER}${LOWER.toUpperCase()}${DIGITS}`;
const UPPER = `${LOWER.toUpperCase()}${DIGITS}`;
const BASE62 = `${DIGITS}${LOWER.toUpperCase()}${LOWER}`;

/** Pseudo-random characters, the same in every run. Built at run time, so that no scanner of this repository finds a token in it. */
function characters(alphabet: string, length: number, seed: number): string {
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  let text = '';
  while (text.length < length) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    text += alphabet.charAt((state >>> 8) % alphabet.length);
  }
  return text;
}

const alnum = (length: number, seed = length): string => `a1Z${characters(ALNUM, length - 3, seed)}`;
const hex = (length: number, seed = length): string => `a1${characters(HEX, length - 2, seed)}`;
const upper = (length: number, seed = length): string => `A1${characters(UPPER, length - 2, seed)}`;
const uuid = (seed: number): string => [8, 4, 4, 4, 12].map((n, i) => characters(HEX, n, seed + i)).join('-');
const join = (...pieces: string[]): string => pieces.join('');

function withChecksum(prefix: string, body: string): string {
  let rest = crc32(body);
  let sum = '';
  while (sum.length < 6) {
    sum = BASE62.charAt(rest % 62) + sum;
    rest = Math.floor(rest / 62);
  }
  return prefix + body + sum;
}

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A signed token of about `size` characters. */
export const jwt = (size = 60): string =>
  [base64url({ alg: 'HS256', typ: 'JWT' }), base64url({ sub: characters(ALNUM, size, 5) }), alnum(43)].join('.');

/** A private key block with real line lengths; `newline` may be the two characters of a JSON escape. */
export function privateKey(label: string, lines: number, newline = '\n'): string {
  const body = Array.from({ length: lines }, (_, i) => characters(`${ALNUM}+/`, 64, i + 1));
  return [
    '-----BEGIN ',
    label,
    '-----',
    newline,
    [...body, 'Zm9v=='].join(newline),
    newline,
    '-----END ',
    label,
    '-----',
  ].join('');
}

export interface Sample {
  readonly kind: string;
  /** what may not be seen by others */
  readonly secret: string;
  /** what must stand before it, and behind it, for it to be recognised */
  readonly before?: string;
  readonly after?: string;
}

const tokens: [kind: string, secret: string][] = [
  ['aws_access_key', join('AK', 'IA', upper(16))],
  ['aws_access_key', join('AS', 'IA', upper(16, 3))],
  ['aws_bedrock_key', join('AB', 'SK', alnum(120))],
  ['gcp_api_key', join('AI', 'za', alnum(35))],
  ['google_oauth_secret', join('GOC', 'SPX-', alnum(28))],
  ['google_oauth_token', join('ya', '29.', alnum(120))],
  ['google_refresh_token', join('1/', '/0', alnum(60))],
  ['azure_client_secret', join('aB3', '8Q~', alnum(34))],
  ['azure_devops_token', join(alnum(76), 'AZ', 'DO', alnum(4))],
  ['digitalocean_token', join('dop', '_v1_', hex(64))],
  ['heroku_key', join('HR', 'KU-', alnum(60))],
  ['alibaba_access_key', join('LT', 'AI', alnum(20))],
  ['vault_token', join('hv', 's.', alnum(90))],
  ['terraform_token', join(alnum(14), '.atlas', 'v1.', alnum(67))],
  ['pulumi_token', join('pu', 'l-', hex(40))],
  ['doppler_token', join('dp', '.pt.', alnum(43))],
  ['netlify_token', join('nf', 'p_', alnum(40))],
  ['supabase_key', join('sb', 'p_', hex(40))],
  ['planetscale_token', join('pscale', '_tkn_', alnum(43))],
  ['databricks_token', join('da', 'pi', hex(32))],
  ['tailscale_key', join('ts', 'key-auth-', alnum(17), '-', alnum(32))],
  ['github_token', withChecksum(join('gh', 'p_'), alnum(30))],
  ['github_token', withChecksum(join('gh', 's_'), alnum(30, 9))],
  ['github_token', join('github', '_pat_', alnum(22), '_', alnum(59))],
  ['gitlab_token', join('gl', 'pat-', alnum(20))],
  ['atlassian_token', join('ATA', 'TT3', alnum(186), '=', upper(8))],
  ['npm_token', withChecksum(join('np', 'm_'), alnum(30, 4))],
  ['pypi_token', join('py', 'pi-AgEIcHlwaS5vcmc', alnum(120))],
  ['rubygems_key', join('ruby', 'gems_', hex(48))],
  ['docker_token', join('dckr', '_pat_', alnum(27))],
  ['sentry_token', join('sntr', 'yu_', hex(64))],
  ['sonar_token', join('sq', 'p_', hex(40))],
  ['postman_key', join('PM', 'AK-', hex(24), '-', hex(34))],
  ['age_key', join('AGE-', 'SECRET-KEY-1', upper(58))],
  ['jwt', jwt()],
  ['jwt', jwt(2_000)],
  ['tollgate_key', join('t', 'g_', alnum(32))],
  ['openai_key', join('sk', '-proj-', alnum(120))],
  ['openai_key', join('sk', '-', alnum(20), 'T3Blbk', 'FJ', alnum(20, 2))],
  ['model_key', join('sk', '-', hex(32))],
  ['anthropic_key', join('sk', '-ant-', 'api03-', alnum(93), 'AA')],
  ['openrouter_key', join('sk', '-or-v1-', hex(64))],
  ['huggingface_token', join('h', 'f_', alnum(34))],
  ['replicate_token', join('r', '8_', alnum(37))],
  ['groq_key', join('gs', 'k_', alnum(52))],
  ['xai_key', join('xa', 'i-', alnum(80))],
  ['perplexity_key', join('pp', 'lx-', alnum(48))],
  ['langsmith_key', join('ls', 'v2_pt_', hex(32), '_', hex(10))],
  ['nvidia_key', join('nv', 'api-', alnum(64))],
  ['tavily_key', join('tv', 'ly-', alnum(32))],
  ['slack_token', join('xo', 'xb-', characters(DIGITS, 12, 1), '-', characters(DIGITS, 12, 2), '-', alnum(24))],
  ['sendgrid_key', join('S', 'G.', alnum(22), '.', alnum(43))],
  ['mailchimp_key', join(hex(32), '-u', 's12')],
  ['brevo_key', join('xkey', 'sib-', hex(64), '-', alnum(16))],
  ['stripe_key', join('sk', '_live_', alnum(24))],
  ['stripe_key', join('rk', '_test_', alnum(99))],
  ['stripe_webhook_secret', join('wh', 'sec_', alnum(32))],
  ['twilio_key', join('S', 'K', hex(32))],
  ['shopify_token', join('shp', 'at_', hex(32))],
  ['newrelic_key', join('NR', 'AK-', upper(27))],
  ['grafana_token', join('gl', 'sa_', alnum(32), '_', hex(8))],
  ['linear_key', join('lin', '_api_', alnum(40))],
  ['airtable_token', join('pa', 't', alnum(14), '.', hex(64))],
  ['figma_token', join('fi', 'gd_', alnum(40))],
  ['private_key', privateKey(join('RSA PRIV', 'ATE KEY'), 25)],
  ['private_key', privateKey(join('PRIV', 'ATE KEY'), 6, '\\n')],
  ['private_key', privateKey(join('PGP PRIV', 'ATE KEY BLOCK'), 12)],
];

const named: Sample[] = [
  { kind: 'aws_secret_key', before: 'aws_secret_access_key = ', secret: alnum(40) },
  { kind: 'aws_secret_key', before: '"SecretAccessKey": "', secret: alnum(40, 7), after: '"' },
  { kind: 'aws_session_token', before: '"SessionToken":"', secret: alnum(900), after: '"' },
  { kind: 'azure_storage_key', before: 'AccountName=x;AccountKey=', secret: join(alnum(86), '=='), after: ';Endpoint' },
  { kind: 'azure_shared_key', before: 'SharedAccessKey=', secret: join(alnum(43), '=') },
  {
    kind: 'slack_webhook',
    before: 'https://hooks.slack.com/services/',
    secret: join('T', upper(8), '/B', upper(9), '/', alnum(24)),
  },
  { kind: 'discord_webhook', before: 'https://discord.com/api/webhooks/123456789012345678/', secret: alnum(68) },
  { kind: 'telegram_token', before: '123456789:', secret: join('AA', alnum(33)) },
  { kind: 'datadog_key', before: "DD_API_KEY='", secret: hex(32), after: "'" },
  { kind: 'heroku_key', before: 'heroku api key: ', secret: uuid(3) },
  { kind: 'twilio_token', before: 'TWILIO_AUTH_TOKEN=', secret: hex(32, 8) },
  { kind: 'wandb_key', before: 'WANDB_API_KEY=', secret: hex(40) },
  {
    kind: 'basic_credentials',
    before: 'Authorization: Basic ',
    secret: Buffer.from('ann:s3same-open').toString('base64'),
  },
  { kind: 'bearer_token', before: 'authorization: bearer ', secret: alnum(40) },
  { kind: 'url_password', before: 'postgres://app:', secret: 's3same0pen', after: '@db.internal:5432/app' },
  { kind: 'url_password', before: 'mongodb+srv://app:', secret: 'x9$kL-22pq', after: '@cluster0.net/?w=1' },
  { kind: 'password', before: 'password = "', secret: 'Tr0ub4dor&3'.replace('&', '!'), after: '"' },
  { kind: 'password', before: '{\\"db_password\\":\\"', secret: 'kJ8!mQ2x', after: '\\"}' },
  { kind: 'password', before: 'DB_PASSWORD=', secret: 'hunter42qq' },
  { kind: 'password', before: '<password>', secret: 'kJ8mQ2xw', after: '</password>' },
  { kind: 'generic_key', before: '"clientSecret": "', secret: alnum(32), after: '"' },
  { kind: 'generic_key', before: 'ACME_API_KEY=', secret: hex(32) },
  { kind: 'generic_key', before: 'https://api.acme.test/v1?access_token=', secret: alnum(40), after: '&x=1' },
  { kind: 'generic_key', before: 'x-api-key: ', secret: alnum(28) },
];

/** One secret of nearly every kind. */
export const SECRET_SAMPLES: readonly Sample[] = [...tokens.map(([kind, secret]) => ({ kind, secret })), ...named];
