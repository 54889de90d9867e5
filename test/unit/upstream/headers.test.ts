import { describe, expect, it } from 'vitest';
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
  it('sets a bearer or a header, and lets the caller’s own pass', () => {
    const headers = { accept: 'x' };
    expect(applyCredential(headers, { bearer: 'k' })).toEqual({ accept: 'x', authorization: 'Bearer k' });
    expect(applyCredential(headers, { header: 'X-Api-Key', value: 'k' })).toEqual({ accept: 'x', 'x-api-key': 'k' });
    expect(applyCredential(headers, undefined)).toBe(headers);
    expect(headers).toEqual({ accept: 'x' });
  });
});
