import { describe, expect, it } from 'vitest';
import type { SigningKeys } from '../../../gateway/ports/upstream.ts';
import { type Signable, sigv4 } from '../../../gateway/upstream/sigv4.ts';

/** The keys, time and requests of AWS's published Signature Version 4 test suite. */
const KEYS: SigningKeys = {
  region: 'us-east-1',
  service: 'service',
  access_key_id: 'AKIDEXAMPLE',
  secret_access_key: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
};
const NOW = new Date('2015-08-30T12:36:00Z');
const HOST = { host: 'example.amazonaws.com' };

const signature = (request: Partial<Signable>, keys = KEYS): string => {
  const headers = sigv4({ method: 'GET', path: '/', headers: HOST, body: undefined, ...request }, keys, NOW);
  return headers['authorization']?.split('Signature=')[1] ?? '';
};

describe('the published test suite', () => {
  it.each<[string, Partial<Signable>, string]>([
    ['get-vanilla', {}, '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    ['post-vanilla', { method: 'POST' }, '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
    [
      'get-vanilla-query-order-key-case',
      { path: '/?Param2=value2&Param1=value1' },
      'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    ],
    [
      'get-vanilla-empty-query-key',
      { path: '/?Param1=value1' },
      'a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb',
    ],
    [
      'get-unreserved',
      { path: '/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz' },
      '07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f',
    ],
    [
      'get-header-value-trim',
      { headers: { ...HOST, 'my-header1': ' value1', 'my-header2': ' "a   b   c"' } },
      'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
    ],
    [
      'post-header-key-sort',
      { method: 'POST', headers: { ...HOST, 'my-header1': 'value1' } },
      'c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c',
    ],
    [
      'post-x-www-form-urlencoded',
      {
        method: 'POST',
        headers: { ...HOST, 'content-type': 'application/x-www-form-urlencoded' },
        body: new TextEncoder().encode('Param1=value1'),
      },
      'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
    ],
  ])('%s', (_name, request, expected) => {
    expect(signature(request)).toBe(expected);
  });

  it('names its algorithm, scope and headers', () => {
    expect(sigv4({ method: 'GET', path: '/', headers: HOST, body: undefined }, KEYS, NOW)).toEqual({
      'x-amz-date': '20150830T123600Z',
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    });
  });
});

it('signs a session token and sends it', () => {
  const headers = sigv4(
    { method: 'GET', path: '/', headers: HOST, body: undefined },
    { ...KEYS, session_token: 'tok' },
    NOW,
  );
  expect(headers['x-amz-security-token']).toBe('tok');
  expect(headers['authorization']).toContain('SignedHeaders=host;x-amz-date;x-amz-security-token,');
});

it('encodes an encoded path once more, and tells bodies, paths and regions apart', () => {
  const path = '/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse';
  const all = [
    signature({ path }),
    signature({ path: path.replace('%3A', ':') }),
    signature({ path, body: new Uint8Array([1]) }),
    signature({ path }, { ...KEYS, region: 'eu-west-1' }),
  ];
  expect(new Set(all).size).toBe(all.length);
});
