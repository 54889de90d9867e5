import { describe, expect, it } from 'vitest';
import type { UpstreamCredential } from '../../../gateway/ports/upstream.ts';
import { applyCredential } from '../../../gateway/upstream/credentials.ts';
import { forwardReplyHeaders, forwardRequestHeaders } from '../../../gateway/upstream/headers.ts';

describe('forwardRequestHeaders', () => {
  it('drops fields of this hop, also those that `connection` names, and asks for plain bytes', () => {
    const out = forwardRequestHeaders(
      {
        host: 'gate',
        connection: 'keep-alive, X-Hop , x-hop-2',
        'x-hop': '1',
        'x-hop-2': '2',
        'keep-alive': 'timeout=5',
        te: 'trailers',
        trailer: 'x',
        'transfer-encoding': 'chunked',
        upgrade: 'h2c',
        'proxy-authorization': 'Basic x',
        'proxy-connection': 'keep-alive',
        'content-length': '12',
        expect: '100-continue',
        'accept-encoding': 'gzip, br',
        accept: 'text/event-stream',
      },
      { drop: [] },
    );
    expect(out).toEqual({ accept: 'text/event-stream', 'accept-encoding': 'identity' });
  });

  it('drops our own and forwarding fields and what it is told to', () => {
    const out = forwardRequestHeaders(
      {
        'x-tollgate-run': 'r',
        'x-tollgate-key': 'k',
        'x-forwarded-for': '1.2.3.4',
        'x-forwarded-host': 'h',
        'x-real-ip': '1.2.3.4',
        forwarded: 'for=x',
        via: '1.1 p',
        authorization: 'Bearer tg',
        'x-api-key': 'k',
      },
      { drop: ['authorization'] },
    );
    expect(out).toEqual({ 'x-api-key': 'k', 'accept-encoding': 'identity' });
  });

  it('keeps everything else verbatim, in order, with all values', () => {
    const out = forwardRequestHeaders(
      { 'x-b': ' spaced ', 'anthropic-beta': ['a', 'b'], 'x-a': '', 'x-none': undefined },
      { drop: [] },
    );
    expect(Object.entries(out)).toEqual([
      ['x-b', ' spaced '],
      ['anthropic-beta', ['a', 'b']],
      ['x-a', ''],
      ['accept-encoding', 'identity'],
    ]);
  });

  it('no header name can reach the prototype', () => {
    const headers = JSON.parse('{"__proto__": "x", "constructor": "y"}') as Record<string, string>;
    const out = forwardRequestHeaders(headers, { drop: [] });
    expect(Object.getPrototypeOf(out)).toBe(Object.prototype);
    expect(Object.keys(out)).toEqual(['constructor', 'accept-encoding']);
  });
});

describe('forwardReplyHeaders', () => {
  const reply = {
    connection: 'close, x-hop',
    'x-hop': '1',
    'transfer-encoding': 'chunked',
    'alt-svc': 'h3=":443"',
    'strict-transport-security': 'max-age=1',
    'x-tollgate-decision': 'allow',
    'content-length': '9',
    'content-encoding': 'gzip',
    'set-cookie': ['a', 'b'],
    'x-request-id': 'req_1',
  };

  it('drops fields of the other hop, length and coding, and names that are ours', () => {
    expect(forwardReplyHeaders(reply)).toEqual({
      'set-cookie': ['a', 'b'],
      'x-request-id': 'req_1',
    });
  });
});

describe('applyCredential', () => {
  const NOW = new Date('2026-01-02T03:04:05Z');
  const to = (credential: UpstreamCredential | undefined) => ({
    credential,
    origin: 'https://host.example',
    method: 'POST',
    path: '/model/m/converse',
    body: new Uint8Array([123, 125]),
  });

  it('signs with keys: host, kind of content, time and token', () => {
    const sigv4 = { region: 'eu-west-1', access_key_id: 'AKID', secret_access_key: 'secret', session_token: 'tok' };
    const signed = applyCredential({ 'content-type': 'application/json', 'x-other': '1' }, to({ sigv4 }), NOW);
    expect(signed).toMatchObject({ 'x-other': '1', 'x-amz-date': '20260102T030405Z', 'x-amz-security-token': 'tok' });
    expect(signed['authorization']).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKID\/20260102\/eu-west-1\/bedrock\/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=[0-9a-f]{64}$/,
    );
    expect(JSON.stringify(signed)).not.toContain('secret');
  });

  it('sets a bearer or a header, and lets the caller’s own pass', () => {
    const headers = { accept: 'x' };
    expect(applyCredential(headers, to({ bearer: 'k' }), NOW)).toEqual({ accept: 'x', authorization: 'Bearer k' });
    expect(applyCredential(headers, to({ header: 'X-Api-Key', value: 'k' }), NOW)).toEqual({
      accept: 'x',
      'x-api-key': 'k',
    });
    expect(applyCredential(headers, to(undefined), NOW)).toBe(headers);
    expect(headers).toEqual({ accept: 'x' });
  });
});
