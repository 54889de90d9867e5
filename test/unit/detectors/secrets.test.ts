import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { secrets } from '../../../gateway/detectors/secrets.ts';
import { jwt, privateKey, SECRET_SAMPLES } from '../../contract/secret-samples.ts';

const kindsIn = (text: string): string[] => secrets.scan(text).map((finding) => finding.kind);
const wraps: [name: string, before: string, after: string][] = [
  ['alone', '', ''],
  ['in prose', 'the key is ', ', keep it'],
  ['in JSON', '{"a":"', '"}'],
  ['in JSON inside JSON', '{"a":"line\\n', '\\nnext"}'],
  ['in a URL query', 'https://x.test/?a=1&k=', '&b=2'],
  ['behind an escape', 'k%3D%20', ' '],
  ['at the end of a line', 'KEY=', '\r\nNEXT=1'],
  ['in markdown', '`', '`'],
];

describe('secrets: what is found', () => {
  it.each(SECRET_SAMPLES.map((sample, i) => ({ ...sample, i })))(
    '$kind ($i), exactly and in any surroundings',
    (sample) => {
      const { kind, secret, before = '', after = '' } = sample;
      for (const [name, left, right] of wraps) {
        const text = left + before + secret + after + right;
        const at = left.length + before.length;
        const [finding, ...rest] = secrets.scan(text);
        expect({ name, rest, ...finding }).toMatchObject({
          name,
          rest: [],
          kind: `secret.${kind}`,
          start: at,
          end: at + secret.length,
        });
      }
    },
  );

  it('a valid checksum is certain, a wrong one is still reported', () => {
    const sample = SECRET_SAMPLES.find(({ kind }) => kind === 'github_token')?.secret ?? '';
    const flipped = sample.slice(0, -1) + (sample.endsWith('1') ? '2' : '1');
    expect(secrets.scan(sample)[0]?.confidence).toBe(1);
    expect(secrets.scan(flipped)[0]?.confidence).toBe(0.8);
  });

  it('the keys that documentation shows are found as well: people try with them', () => {
    expect(kindsIn(`AK${'IAIOSFODNN7EXAMPLE'}`)).toEqual(['secret.aws_access_key']);
    expect(kindsIn(`aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/${'bPxRfiCYEXAMPLEKEY'}`)).toEqual([
      'secret.aws_secret_key',
    ]);
  });

  it('a private key without its end is found as far as it goes', () => {
    const block = privateKey(`PRIV${'ATE KEY'}`, 20);
    const cut = block.slice(0, 900);
    const [finding] = secrets.scan(`${cut}`);
    expect(finding).toMatchObject({ kind: 'secret.private_key', start: 0, end: 900 });
  });

  it('findings of one stretch are joined and the surer one names it', () => {
    const token = SECRET_SAMPLES.find(({ kind }) => kind === 'github_token')?.secret ?? '';
    expect(secrets.scan(`https://x:${token}@github.com/a/b`)).toEqual([
      { kind: 'secret.github_token', start: 10, end: 10 + token.length, confidence: 1 },
    ]);
    expect(kindsIn(`{"password": "${token}"}`)).toEqual(['secret.github_token']);
    expect(kindsIn(`Authorization: Bearer ${jwt()}`)).toEqual(['secret.jwt']);
  });

  it('has at least 60 kinds, each named once', () => {
    expect(secrets.kinds.length).toBeGreaterThanOrEqual(60);
    expect(new Set(secrets.kinds).size).toBe(secrets.kinds.length);
    for (const kind of secrets.kinds) expect(kind).toMatch(/^secret\.[a-z0-9_]+$/);
  });
});

const digest = (algorithm: string): string => createHash(algorithm).update('x').digest('hex');

const NEGATIVES = [
  '550e8400-e29b-41d4-a716-446655440000',
  digest('sha1'),
  digest('sha256'),
  `sha256:${digest('sha256')}`,
  `commit ${digest('sha1')}`,
  '{"id":"chatcmpl-9aBcDeFgHiJkLmNoPqRsTuVwXyZ01","object":"chat.completion"}',
  '{"id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message"}',
  '{"id":"call_abc123DEF456ghi789JKL012","type":"function"}',
  '{"tool_use_id":"toolu_01A09q90qw90lq917835lq9"}',
  '{"usage":{"prompt_tokens":1234567890,"completion_tokens":9876543210,"total_tokens":11111111100}}',
  '{"next_page_token":"CAUQAAEaBkVnWUlBQTE5ODc2NTQzMjE"}',
  '"nextToken": "eyJOZXh0VG9rZW4iOiBudWxsLCAiYm90b190cnVuY2F0ZV9hbW91bnQiOiAxfQ=="',
  'pageToken=CDIQAA1234567890abcdefXYZ',
  'max_tokens=4096123456789012, tokenizer: "cl100k_base_2024_version_12"',
  'password: string; secret: SecretString; token?: Promise<AccessToken>',
  'const apiKey = process.env.OPENAI_API_KEY;',
  'const token = await getAccessToken2(userId15, options);',
  'api_key=os.environ["OPENAI_API_KEY"]',
  'password = config.database.password1',
  'token: \x24{{ secrets.GITHUB_TOKEN }}',
  'password=\x24{DB_PASSWORD_1} token=$TOKEN_12345678 secret=%SECRET_12345678%',
  'password: "changeme123" secret="your-secret-key-1234" api_key: "xxxxxxxxxxxxxxxx1234"',
  'api_key = "<YOUR_API_KEY>" token: "[redacted]" password: "********"',
  'password: example1234567, token=abcdefghijklmnop1234567890',
  'The password must be at least 12 characters: letters, digits and symbols.',
  'the secret: practice16times a day',
  'secret_name: "prod/database/password-01"',
  'token_url: "https://auth.acme.test/oauth2/v1/token"',
  'secret: /run/secrets/db_password_1',
  'secretArn: arn:aws:secretsmanager:us-east-1:123456789012:secret:x-AbCdEf',
  'password_hash: 5f4dcc3b5aa765d61d8327deb882cf99',
  'public_key = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1234567890"',
  'https://github.com/a/b?tab=readme#secrets http://localhost:8787/openai/v1',
  'git clone ssh://git@github.com:22/a/b.git and user@host:/path',
  'postgres://user:password@localhost/db postgres://postgres:postgres@db redis://:$REDIS_PASSWORD@h',
  `-----BEGIN CERTIFICATE-----\n${'MIIB'.repeat(100)}\n-----END CERTIFICATE-----`,
  `-----BEGIN PUBLIC KEY-----\n${'MIIB'.repeat(20)}\n-----END PUBLIC KEY-----`,
  `-----BEGIN PRIV${'ATE KEY'}-----\n...\n-----END PRIV${'ATE KEY'}-----`,
  'task-force-1234567890abcdefghij sk-SK sk-cube-grid-animation',
  'risk-adjusted-return-2024-12-31-final-version',
  'Bearer of bad news; basic understanding; bearer token authentication',
  'ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx sk-ant-api03-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
  'e.token=t.a1,n.password=r.b2,function(e){return e.secret||t.apiKey}',
  'integrity="sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC"',
  'csrf_token=abcDEF1234567890abcDEF1234567890',
  'eyJhYmMiOiAxfQ.eyJhYmMiOiAxfQ.c2lnbmF0dXJl',
];

describe('secrets: what is none', () => {
  it.each(NEGATIVES.map((text, i) => ({ i, text })))('$i: $text', ({ text }) => {
    expect(secrets.scan(text)).toEqual([]);
  });

  it.each(['+', '/'])('what looks like a token behind a `%s` of base64', (mark) => {
    const bytes = createHash('sha512').update('an image').digest('base64').slice(0, 80);
    const secretOf = (wanted: string): string => SECRET_SAMPLES.find(({ kind }) => kind === wanted)?.secret ?? '';
    expect(kindsIn(`${bytes}${mark}${secretOf('aws_access_key')}`)).toEqual([]);
    expect(kindsIn(`https://example.org/Users/JohnDoe2/Projects/MyApp3/src/${secretOf('aws_access_key')}`)).toEqual([
      'secret.aws_access_key',
    ]);
    // what is not of its alphabet is no part of it, whatever stands before
    expect(kindsIn(`${bytes}${mark}${secretOf('github_token')}`)).toEqual(['secret.github_token']);
  });

  it('a word for a password in the middle of base64', () => {
    expect(secrets.scan('QYqQPyoi7YR24yYXe0AIHh4xzsEnhAW8ujceF7wwSLEtFrdIgp6')).toEqual([]);
    expect(secrets.scan('a senha é: W8ujceF7+wwS')).toHaveLength(1);
  });

  it('megabytes of base64, as images carry them, and of hex', () => {
    for (let i = 0; i < 3; i += 1) {
      const bytes = randomBytes(750_000);
      expect(secrets.scan(`data:image/png;base64,${bytes.toString('base64')}`)).toEqual([]);
      expect(secrets.scan(bytes.toString('hex'))).toEqual([]);
    }
  });

  it('the code of libraries, minified or not', () => {
    const root = join(import.meta.dirname, '../../../node_modules');
    const found: string[] = [];
    let read = 0;
    for (const folder of [
      'undici/lib',
      'pino/lib',
      'zod/v4/core',
      'yaml/dist',
      'commander/lib',
      'openai/resources',
      'vitest/dist/chunks',
    ]) {
      for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !/\.[cm]?js$/.test(entry.name)) continue;
        const text = readFileSync(join(entry.parentPath, entry.name), 'utf8');
        read += text.length;
        for (const { kind, start, end } of secrets.scan(text))
          found.push(`${folder}/${entry.name} ${kind} ${text.slice(start - 30, end + 10)}`);
      }
    }
    expect(read).toBeGreaterThan(2_000_000);
    expect(found).toEqual([]);
  });
});
