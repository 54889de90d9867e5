import { crc32 } from 'node:zlib';

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const DIGITS = '0123456789';
const ALPHABETS: Readonly<Record<string, string>> = {
  A: `${LOWER}${LOWER.toUpperCase()}${DIGITS}`,
  B: `${LOWER}${LOWER.toUpperCase()}${DIGITS}+/`,
  D: DIGITS,
  H: `${DIGITS}abcdef`,
  L: `${LOWER}${DIGITS}`,
  U: `${LOWER.toUpperCase()}${DIGITS}`,
};
const BASE62 = `${DIGITS}${LOWER.toUpperCase()}${LOWER}`;

/** Pseudo-random characters, the same for the same seed. */
function characters(alphabet: string, length: number, seed: number): string {
  const from = ALPHABETS[alphabet] ?? alphabet;
  let state = Math.imul(seed + 1, 2_654_435_761) >>> 0 || 1;
  let text = '';
  while (text.length < length) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    text += from.charAt((state >>> 8) % from.length);
  }
  return text;
}

/** The forms of vendors' tokens: literals, and `@` with an alphabet and a length for random characters. In pieces, so that no scanner of a host takes this file for a leak. */
const FORMS: Readonly<Record<string, readonly string[]>> = {
  aws_access_key: ['AK', 'IA', '@U16'],
  aws_sts_key: ['AS', 'IA', '@U16'],
  aws_secret_key: ['@B40'],
  aws_session_token: ['IQoJb3', '@B396'],
  openai_key: ['sk', '-proj-', '@A74', 'T3Blbk', 'FJ', '@A74'],
  anthropic_key: ['sk', '-ant-', 'api03-', '@A93', 'AA'],
  gitlab_token: ['gl', 'pat-', '@A20'],
  pypi_token: ['py', 'pi-AgEIcHlwaS5vcmc', '@A140'],
  slack_token: ['xo', 'xb-', '@D12', '-', '@D13', '-', '@A24'],
  slack_webhook: ['T', '@U10', '/B', '@U10', '/', '@A24'],
  stripe_key: ['sk', '_live_', '@A99'],
  stripe_webhook_secret: ['wh', 'sec_', '@A32'],
  sendgrid_key: ['S', 'G.', '@A22', '.', '@A43'],
  huggingface_token: ['h', 'f_', '@A34'],
  azure_storage_key: ['@B86', '=='],
  azure_shared_key: ['@B43', '='],
  azure_client_secret: ['@A3', '8', 'Q~', '@A34'],
  twilio_token: ['@H32'],
  datadog_key: ['@H32'],
  wandb_key: ['@H40'],
  telegram_token: ['AA', '@A33'],
  discord_webhook: ['@A68'],
  shopify_token: ['shp', 'at_', '@H32'],
  digitalocean_token: ['dop', '_v1_', '@H64'],
  vault_token: ['hv', 's.', '@A90'],
  linear_key: ['lin', '_api_', '@A40'],
  grafana_token: ['gl', 'sa_', '@A32', '_', '@H8'],
  replicate_token: ['r', '8_', '@A37'],
  groq_key: ['gs', 'k_', '@A52'],
  perplexity_key: ['pp', 'lx-', '@A48'],
  gcp_api_key: ['AI', 'za', '@A35'],
  google_refresh_token: ['1/', '/0', '@A60'],
  google_oauth_token: ['ya', '29.', '@A120'],
  databricks_token: ['da', 'pi', '@H32'],
  sentry_token: ['sntr', 'yu_', '@H64'],
  docker_token: ['dckr', '_pat_', '@A27'],
  figma_token: ['fi', 'gd_', '@A40'],
  airtable_token: ['pa', 't', '@A14', '.', '@H64'],
  newrelic_key: ['NR', 'AK-', '@U27'],
  tailscale_key: ['ts', 'key-auth-', '@A17', '-', '@A32'],
  age_key: ['AGE-', 'SECRET-KEY-1', '@U58'],
  openrouter_key: ['sk', '-or-v1-', '@H64'],
  langsmith_key: ['ls', 'v2_pt_', '@H32', '_', '@H10'],
  pulumi_token: ['pu', 'l-', '@H40'],
  xai_key: ['xa', 'i-', '@A80'],
};

const KINDS: Readonly<Record<string, string>> = {
  aws_sts_key: 'aws_access_key',
  private_key_json: 'private_key',
  openssh_key: 'private_key',
};

function fromForm(form: readonly string[], seed: number): string {
  return form
    .map((piece, i) =>
      piece.startsWith('@') ? characters(piece.charAt(1), Number(piece.slice(2)), seed * 31 + i) : piece,
    )
    .join('');
}

function checksummed(prefix: string, seed: number): string {
  const body = characters('A', 30, seed);
  let sum = '';
  for (let rest = crc32(body); sum.length < 6; rest = Math.floor(rest / 62)) sum = BASE62.charAt(rest % 62) + sum;
  return prefix + body + sum;
}

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function privateKey(label: string, newline: string, seed: number): string {
  const name = `${label}PRIV${'ATE KEY'}`;
  const body = Array.from({ length: 24 }, (_, i) => characters('B', 64, seed + i));
  return [`-----BEGIN ${name}-----`, ...body, `${characters('B', 30, seed)}==`, `-----END ${name}-----`].join(newline);
}

const BUILT: Readonly<Record<string, (seed: number) => string>> = {
  github_token: (seed) => checksummed(`gh${'p_'}`, seed),
  npm_token: (seed) => checksummed(`np${'m_'}`, seed),
  private_key: (seed) => privateKey('RSA ', '\n', seed),
  openssh_key: (seed) => privateKey('OPENSSH ', '\n', seed),
  private_key_json: (seed) => privateKey('', '\\n', seed),
  jwt: (seed) =>
    [
      base64url({ alg: 'HS256', typ: 'JWT' }),
      base64url({ sub: characters('A', 12, seed), iat: 1_767_225_600 }),
      characters('A', 43, seed),
    ].join('.'),
  basic_credentials: (seed) => Buffer.from(`ana:${characters('A', 12, seed)}`).toString('base64'),
};

/** A secret of the named form, and the kind a detector should report for it. Throws for a name that is no form. */
export function secretValue(name: string, seed: number): { kind: string; value: string } {
  const form = FORMS[name];
  const value = form === undefined ? BUILT[name]?.(seed) : fromForm(form, seed);
  if (value === undefined) throw new TypeError(`no form of a secret is called \`${name}\``);
  return { kind: `secret.${KINDS[name] ?? name}`, value };
}

const hexOf = (text: string): string => Buffer.from(text).toString('hex');
const ENCODERS: Readonly<Record<string, (text: string) => string>> = {
  enc64: (text) => Buffer.from(text).toString('base64'),
  enchex: hexOf,
  encpct: (text) => hexOf(text).replace(/../g, '%$&'),
  encu: (text) => [...text].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''),
};

/** Random filler (`A40`, `uuid`) or a text in an encoding (`enc64` with an argument). Throws for a name that is neither. */
export function fillerValue(name: string, argument: string | undefined, seed: number): string {
  const encode = ENCODERS[name];
  if (encode !== undefined) return encode(argument ?? '');
  if (name === 'uuid') return [8, 4, 4, 4, 12].map((length, i) => characters('H', length, seed + i)).join('-');
  if (name === 'b64pw') return Buffer.from(characters('A', 13, seed)).toString('base64');
  if (!/^[ABDHLU]\d+$/.test(name)) throw new TypeError(`no filler is called \`${name}\``);
  return characters(name.charAt(0), Number(name.slice(1)), seed);
}
