import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mcpWire } from '../../../../gateway/dialects/mcp/wire.ts';
import { RpcFault } from '../../../../gateway/domain/rpc-fault.ts';

const BOUNDS = { bytes: 1_000_000, depth: 64, nodes: 1_000 };
const encoder = new TextEncoder();

const read = (text: string | Uint8Array) =>
  mcpWire.read(typeof text === 'string' ? encoder.encode(text) : text, BOUNDS);

function refusal(text: string | Uint8Array): { rpc: number; status: number; message: string } {
  try {
    read(text);
  } catch (error) {
    if (error instanceof RpcFault) return { rpc: error.rpc, status: error.status, message: error.message };
    throw error;
  }
  throw new Error('it was accepted');
}

const call = (params: string): string => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`;

describe('what two parsers could read differently does not pass (JSON-RPC 2.0; RFC 8259 section 4; mcp-plane.md 3)', () => {
  it.each([
    ['a batch', '[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600],
    ['an empty batch', '[]', -32600],
    ['a name twice', '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}', -32700],
    ['a name twice, deep', call('{"name":"a","arguments":{"x":{"y":1,"y":2}}}'), -32700],
    ['a name twice, spelled with an escape', call('{"name":"a","n\\u0061me":"b"}'), -32700],
    ['bytes after the value', '{"jsonrpc":"2.0","id":1,"method":"ping"}{}', -32700],
    ['a byte order mark', '\ufeff{"jsonrpc":"2.0","id":1,"method":"ping"}', -32700],
    ['a lone surrogate', call('{"name":"\\ud800"}'), -32700],
    ['a lone surrogate in a member name', call('{"name":"a","\\udc00":1}'), -32700],
    ['a case variant of a name', call('{"Name":"a"}'), -32600],
    ['a case variant of `method`', '{"jsonrpc":"2.0","id":1,"METHOD":"tools/call","method":"ping"}', -32600],
    ['a Unicode fold of `params`', '{"jsonrpc":"2.0","id":1,"method":"tools/call","param\u017f":{"name":"a"}}', -32600],
    ['a full-width `name`', call('{"\uff4eame":"a"}'), -32600],
    ['`__proto__`', call('{"name":"a","arguments":{"__proto__":{}}}'), -32600],
    ['id null', '{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600],
    ['a fractional id', '{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600],
    ['an id that only looks whole', '{"jsonrpc":"2.0","id":1.0,"method":"ping"}', -32600],
    ['an id with an exponent', '{"jsonrpc":"2.0","id":1e2,"method":"ping"}', -32600],
    ['a boolean id', '{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600],
    ['an object as id', '{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600],
    ['no method', '{"jsonrpc":"2.0","id":1}', -32600],
    ['an empty method', '{"jsonrpc":"2.0","id":1,"method":""}', -32600],
    ['result with error', '{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"x"}}', -32600],
    ['result with method', '{"jsonrpc":"2.0","id":1,"result":{},"method":"ping"}', -32600],
    ['a result without id', '{"jsonrpc":"2.0","result":{}}', -32600],
    ['an error without message', '{"jsonrpc":"2.0","id":1,"error":{"code":1}}', -32600],
    ['params as a list', '{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32600],
    ['another version', '{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600],
    ['no object', '"ping"', -32600],
    ['too many values', call(`{"name":"a","arguments":{"x":[${'1,'.repeat(1_200)}1]}}`), -32600],
    ['too deep', call(`{"name":"a","arguments":{"x":${'['.repeat(80)}${']'.repeat(80)}}}`), -32700],
  ])('%s', (_, text, rpc) => {
    expect(refusal(text)).toMatchObject({ rpc, status: 400 });
  });

  it('invalid UTF-8, and a message that is too large', () => {
    expect(refusal(Uint8Array.from([0x7b, 0xff, 0x7d]))).toMatchObject({ rpc: -32700, status: 400 });
    expect(refusal(call(`{"name":"${'x'.repeat(1_000_001)}"}`))).toMatchObject({ rpc: -32600, status: 413 });
  });

  it('what is unusual and means one thing passes: an unknown member, an unknown method, a variant somewhere else', () => {
    expect(read(call('{"name":"a","vendor":{"Name":1},"arguments":{"NAME":2,"name":3}}')).kind).toBe('request');
    expect(read('{"jsonrpc":"2.0","method":"notifications/vendor"}').kind).toBe('notification');
    expect(read('{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}').id).toBeUndefined();
    expect(read(call('{"name":"\\ud83d\\ude00"}')).kind).toBe('request');
  });

  it('an id beyond 2^53 stays itself, and one text has one identity however it is spelled', () => {
    expect(read('{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}').id).toBe('9007199254740993');
    expect(read('{"jsonrpc":"2.0","id":"\\u0061","method":"ping"}').id).toBe('"a"');
    expect(read('{"jsonrpc":"2.0","id":"1","method":"ping"}').id).not.toBe(
      read('{"jsonrpc":"2.0","id":1,"method":"ping"}').id,
    );
  });

  it('never throws anything but an RpcFault, and never changes a text it accepts', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.string(),
          fc.jsonValue().map((v) => JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'm', params: v })),
        ),
        (text) => {
          try {
            expect(read(text).doc.text).toBe(text);
          } catch (error) {
            expect(error).toBeInstanceOf(RpcFault);
          }
        },
      ),
    );
  });
});

const META =
  '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}';
const modern = (params: string, method = 'tools/call'): ReturnType<typeof read> =>
  read(`{"jsonrpc":"2.0","id":1,"method":"${method}","params":{${params}${params === '' ? '' : ','}${META}}}`);
const VERSION = { 'mcp-protocol-version': '2026-07-28' };

describe('which era a message is of (mcp-plane.md 2)', () => {
  const era = (message: ReturnType<typeof read>, headers: Record<string, string>): string => {
    try {
      return mcpWire.eraOf(message, headers);
    } catch (error) {
      if (error instanceof RpcFault) return String(error.rpc);
      throw error;
    }
  };

  it('the body decides, the header is a copy that must agree', () => {
    expect(era(modern(''), VERSION)).toBe('modern');
    expect(era(modern(''), {})).toBe('-32020');
    expect(era(modern(''), { 'mcp-protocol-version': '2025-11-25' })).toBe('-32020');
    expect(era(read(call('{"name":"a"}')), VERSION)).toBe('-32602');
    expect(era(read(call('{"name":"a"}')), {})).toBe('legacy');
    expect(era(read(call('{"name":"a"}')), { 'mcp-protocol-version': '2025-06-18' })).toBe('legacy');
    expect(era(read('{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}'), {})).toBe('legacy');
  });

  it('a modern client posts no responses, and declares what it can do', () => {
    expect(era(read('{"jsonrpc":"2.0","id":1,"result":{}}'), VERSION)).toBe('-32600');
    const bare = read(call('{"name":"a","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}'));
    expect(era(bare, VERSION)).toBe('-32602');
    expect(era(read('{"jsonrpc":"2.0","method":"notifications/cancelled"}'), VERSION)).toBe('modern');
  });
});

const SCHEMA = {
  type: 'object',
  properties: {
    region: { type: 'string', 'x-mcp-header': 'Region' },
    count: { type: 'integer', 'x-mcp-header': 'Count' },
    deep: { type: 'object', properties: { dry: { type: 'boolean', 'x-mcp-header': 'Dry' } } },
  },
};

describe('headers that repeat the body (SEP-2243; mcp-plane.md 4)', () => {
  const check = (params: string, headers: Record<string, string>, method = 'tools/call'): string => {
    try {
      mcpWire.checkHeaders(modern(params, method), { 'mcp-method': method, ...headers }, SCHEMA);
      return 'ok';
    } catch (error) {
      if (error instanceof RpcFault) return `${error.status} ${error.rpc}`;
      throw error;
    }
  };
  const named = { 'mcp-name': 'a' };

  it.each<[string, string, Record<string, string>, string]>([
    ['method and name agree', '"name":"a"', named, 'ok'],
    ['no name', '"name":"a"', {}, '400 -32020'],
    ['another name', '"name":"a"', { 'mcp-name': 'b' }, '400 -32020'],
    ['another case', '"name":"a"', { 'mcp-name': 'A' }, '400 -32020'],
    ['packed', '"name":"ä"', { 'mcp-name': '=?base64?w6Q=?=' }, 'ok'],
    ['packed, not canonical', '"name":"ä"', { 'mcp-name': '=?base64?w6R=?=' }, '400 -32020'],
    ['packed, no UTF-8', '"name":"a"', { 'mcp-name': '=?base64?/w==?=' }, '400 -32020'],
    ['another method', '"name":"a"', { ...named, 'mcp-method': 'tools/list' }, '400 -32020'],
    ['an argument without its header', '"name":"a","arguments":{"region":"eu"}', named, '400 -32020'],
    ['an argument that agrees', '"name":"a","arguments":{"region":"eu"}', { ...named, 'mcp-param-region': 'eu' }, 'ok'],
    [
      'an argument that does not',
      '"name":"a","arguments":{"region":"eu"}',
      { ...named, 'mcp-param-region': 'us' },
      '400 -32020',
    ],
    ['a null argument', '"name":"a","arguments":{"region":null}', named, 'ok'],
    [
      'numbers are compared as numbers',
      '"name":"a","arguments":{"count":42}',
      { ...named, 'mcp-param-count': '42.0' },
      'ok',
    ],
    [
      'beyond 2^53 as they are written',
      '"name":"a","arguments":{"count":9007199254740993}',
      { ...named, 'mcp-param-count': '9007199254740992' },
      '400 -32020',
    ],
    ['a nested boolean', '"name":"a","arguments":{"deep":{"dry":true}}', { ...named, 'mcp-param-dry': 'true' }, 'ok'],
    [
      'a nested boolean in capitals',
      '"name":"a","arguments":{"deep":{"dry":true}}',
      { ...named, 'mcp-param-dry': 'True' },
      '400 -32020',
    ],
    ['a header the schema does not know', '"name":"a"', { ...named, 'mcp-param-x': '1' }, 'ok'],
  ])('%s', (_, params, headers, answer) => {
    expect(check(params, headers)).toBe(answer);
  });

  it('resources are named by their URI, tasks by their id', () => {
    expect(check('"uri":"note://1"', { 'mcp-name': 'note://1' }, 'resources/read')).toBe('ok');
    expect(check('"uri":"note://1"', { 'mcp-name': 'note://2' }, 'resources/read')).toBe('400 -32020');
    expect(check('"taskId":"7"', { 'mcp-name': '7' }, 'tasks/get')).toBe('ok');
  });

  it('are made anew for an edited body, and read back as what it says', () => {
    const message = modern('"name":"ä","arguments":{"region":" eu","count":9007199254740993}');
    const headers = mcpWire.headersFor(message, { 'mcp-param-dry': 'true' }, SCHEMA);
    expect(headers).toEqual({
      'mcp-name': '=?base64?w6Q=?=',
      'mcp-param-region': '=?base64?IGV1?=',
      'mcp-param-count': '9007199254740993',
      'mcp-param-dry': '',
    });
    const { 'mcp-param-dry': _, ...sent } = headers;
    expect(() => mcpWire.checkHeaders(message, { 'mcp-method': 'tools/call', ...sent }, SCHEMA)).not.toThrow();
  });

  it('any text comes back from its header', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (text) => {
        const message = modern(`"name":${JSON.stringify(text)}`);
        const headers = mcpWire.headersFor(message, {}, undefined);
        expect(headers['mcp-name']).toMatch(/^[\x20-\x7e]+$/);
        expect(() =>
          mcpWire.checkHeaders(message, { 'mcp-method': 'tools/call', ...headers }, undefined),
        ).not.toThrow();
      }),
    );
  });
});
