import { entropy, mixed } from './checks.ts';
import { type SecretRule, tokenRule } from './rule.ts';

/** From the end of a name to its value: `": "`, ` = '`, `=>`, `:=`, `\": \"`. */
const GAP = String.raw`(?:\\?["'\x60]\]?)?[ \t]{0,8}(?:=>|:=|={1,3}|:)[ \t]{0,8}(?:\\?["'\x60]){0,3}`;

interface NamedShape {
  readonly kind: string;
  /** what the value's name begins with; some words may follow */
  readonly names: readonly string[];
  /** the value's form, case ignored */
  readonly value: string;
  readonly confidence?: number;
  readonly reach?: SecretRule['reach'];
  readonly check?: (secret: string) => number | undefined;
}

const literalPattern = (literal: string): string => literal.replace(/[.$]/g, '\\$&');

/** A rule for a value whose form says little, but which stands behind a name that says much. */
function namedRule({ kind, names, value, confidence = 0.8, reach = 'words', check }: NamedShape): SecretRule {
  const pattern = new RegExp(`(?:${names.map(literalPattern).join('|')})[\\w .-]{0,24}${GAP}(${value})`, 'iy');
  return tokenRule({ kind, anchors: names, pattern, reach, confidence, inside: true, ...(check && { check }) });
}

const UUID = '[a-f0-9]{8}(?:-[a-f0-9]{4}){3}-[a-f0-9]{12}';
const random = (confidence: number) => (secret: string) =>
  entropy(secret) >= 3.5 ? mixed(confidence)(secret) : undefined;

export const NAMED: readonly SecretRule[] = [
  {
    kind: 'aws_secret_key',
    names: ['aws_secret', 'aws-secret', 'awssecret', 'secret_access_key', 'secretaccesskey', 'secret-access-key'],
    value: '[A-Za-z0-9/+]{40}',
    confidence: 0.95,
  },
  {
    kind: 'aws_session_token',
    names: ['session_token', 'sessiontoken', 'session-token', 'security_token', 'security-token'],
    value: '[A-Za-z0-9/+]{100,2000}={0,2}',
    reach: 'long' as const,
  },
  { kind: 'azure_openai_key', names: ['azure'], value: '[a-z0-9]{32}|[a-z0-9]{84}', check: random(0.75) },
  {
    kind: 'cloudflare_key',
    names: ['cloudflare', 'cf_api', 'cf-api', 'x-auth-key'],
    value: '[\\w-]{40}|[a-f0-9]{37}',
    check: random(0.8),
  },
  { kind: 'heroku_key', names: ['heroku'], value: UUID },
  {
    kind: 'datadog_key',
    names: ['datadog', 'dd_api', 'dd-api', 'dd_app', 'dd-app', 'dd-application'],
    value: '[a-f0-9]{40}|[a-f0-9]{32}',
  },
  { kind: 'twilio_token', names: ['twilio'], value: '[a-f0-9]{32}' },
  { kind: 'mailgun_key', names: ['mailgun'], value: '[a-f0-9]{32}-[a-f0-9]{8}-[a-f0-9]{8}|[a-f0-9]{32}' },
  { kind: 'algolia_key', names: ['algolia'], value: '[a-f0-9]{32}' },
  { kind: 'okta_token', names: ['okta', 'ssws'], value: '00[\\w-]{40}' },
  { kind: 'fastly_token', names: ['fastly'], value: '[\\w-]{32}', check: random(0.75) },
  { kind: 'pagerduty_key', names: ['pagerduty', 'pager_duty'], value: '[\\w+-]{20}', check: random(0.7) },
  { kind: 'snyk_token', names: ['snyk'], value: UUID },
  { kind: 'codecov_token', names: ['codecov'], value: UUID },
  { kind: 'wandb_key', names: ['wandb', 'weights_and_biases'], value: '[a-f0-9]{40}' },
  { kind: 'mistral_key', names: ['mistral'], value: '[A-Za-z0-9]{32}', check: random(0.75) },
  { kind: 'cohere_key', names: ['cohere', 'co_api'], value: '[A-Za-z0-9]{40}', check: random(0.75) },
  { kind: 'deepgram_key', names: ['deepgram'], value: '[a-f0-9]{40}' },
  { kind: 'assemblyai_key', names: ['assemblyai', 'assembly_ai'], value: '[a-f0-9]{32}' },
  {
    kind: 'discord_token',
    names: ['discord'],
    value: '[A-Za-z0-9]{23,28}\\.[\\w-]{6}\\.[\\w-]{27,40}',
    confidence: 0.9,
  },
  { kind: 'zendesk_token', names: ['zendesk'], value: '[A-Za-z0-9]{40}', check: random(0.75) },
  { kind: 'splunk_token', names: ['splunk'], value: UUID },
  { kind: 'netlify_token', names: ['netlify'], value: '[\\w-]{40,46}', check: random(0.75) },
  { kind: 'vercel_token', names: ['vercel'], value: '[A-Za-z0-9]{24}', check: random(0.75) },
  { kind: 'coinbase_key', names: ['coinbase'], value: '[\\w-]{64}', check: random(0.75) },
].map(namedRule);
