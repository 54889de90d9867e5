import { describe, expect, it } from 'vitest';
import { ConfigFault, loadConfig } from '../../../gateway/config/load.ts';

function problemsOf(servers: string, more = ''): string[] {
  try {
    loadConfig('/etc/tg/tollgate.yaml', `mcp:\n  servers:\n    one: ${servers}\n${more}`, {});
  } catch (error) {
    if (error instanceof ConfigFault) return error.problems.map((p) => `${p.line}: ${p.message}`);
    throw error;
  }
  return [];
}

describe('an MCP server in the configuration', () => {
  it.each([
    '{ url: https://mcp.example.com/mcp }',
    '{ url: http://127.0.0.1:3000/mcp }',
    '{ url: "http://[::1]:3000/mcp" }',
    '{ url: http://localhost:3000/sse, sse_legacy: true }',
    '{ command: [node, server.js] }',
  ])('%s is taken', (server) => {
    expect(problemsOf(server)).toEqual([]);
  });

  it.each([
    '{ url: http://mcp.example.com/mcp }',
    '{ url: http://10.0.0.7/mcp }',
    '{ url: http://127.0.0.1.nip.io/mcp }',
    '{ url: https://user:pass@mcp.example.com/mcp }',
    '{ url: https://a.example, credential: { oauth: { issuer: http://idp.example, client_id: a, client_secret: b } } }',
  ])('%s would send tokens in clear and is refused', (server) => {
    expect(problemsOf(server).join()).toContain('https to another machine');
  });

  it.each([
    ['resource: http://gate.example/mcp', 'scheme, host and port alone'],
    ['resource: https://gate.example, issuers: [{ issuer: http://idp.example }]', 'https to another machine'],
    ['resource: https://gate.example, issuers: [{ issuer: https://idp.example, algorithms: [HS256] }]', 'algorithms'],
    ['resource: https://gate.example, issuers: [{ issuer: https://idp.example, algorithms: [none] }]', 'algorithms'],
    ['resource: https://gate.example, issuers: []', 'issuers'],
  ])('oauth with `%s` is refused', (oauth, message) => {
    expect(problemsOf('{ url: https://a.example }', `  oauth: { ${oauth} }\n`).join()).toContain(message);
  });
});
