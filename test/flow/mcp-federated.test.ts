import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer as LegacyServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { McpServer } from '@modelcontextprotocol/server';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { eventually } from '../support/eventually.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { type McpFixture, startLegacyFixture, startModernFixture } from '../support/mcp-fixture.ts';

const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

const answer = (text: string) => ({ content: [{ type: 'text' as const, text }] });

/** A server `name` with a tool `search`, one of its own, a prompt, a resource and instructions. */
function modern(name: string): McpServer {
  const server = new McpServer({ name, version: '1' }, { instructions: `${name} first` });
  server.registerTool(
    'search',
    { description: `looks in ${name}`, inputSchema: z.object({ for: z.string() }) },
    (args) => answer(`${name} found ${args.for}`),
  );
  server.registerTool(`${name}.odd`, { description: 'has a dot' }, () => answer(`${name} odd`));
  server.registerPrompt('review', { description: 'reviews' }, () => ({
    messages: [{ role: 'user', content: { type: 'text', text: `${name} review` } }],
  }));
  server.registerResource('home', `${name}://home`, {}, () => ({
    contents: [{ uri: `${name}://home`, text: `${name} home` }],
  }));
  server.registerResource('stray', `stray://${name}`, {}, () => ({ contents: [] }));
  return server;
}

function legacy(name: string): LegacyServer {
  const server = new LegacyServer({ name, version: '1' }, { instructions: `${name} first` });
  server.registerTool('search', { description: `looks in ${name}`, inputSchema: { for: z.string() } }, (args) =>
    answer(`${name} found ${args.for}`),
  );
  server.registerTool(`${name}.odd`, { description: 'has a dot' }, () => answer(`${name} odd`));
  server.registerTool('ask', { description: 'asks the person' }, async (extra) => {
    const params = { message: `${name} asks`, requestedSchema: { type: 'object' as const, properties: {} } };
    const said = await extra.sendRequest(
      { method: 'elicitation/create', params },
      z.looseObject({ content: z.unknown() }),
    );
    return answer(`${name} heard ${JSON.stringify(said.content)}`);
  });
  server.registerPrompt('review', { description: 'reviews' }, () => ({
    messages: [{ role: 'user', content: { type: 'text', text: `${name} review` } }],
  }));
  server.registerResource('home', `${name}://home`, {}, () => ({
    contents: [{ uri: `${name}://home`, text: `${name} home` }],
  }));
  server.registerResource('stray', `stray://${name}`, {}, () => ({ contents: [] }));
  return server;
}

type AnyClient = Pick<Client, 'close' | 'getInstructions' | 'getServerCapabilities'> & {
  listTools(params?: object): Promise<{ tools: { name: string }[]; nextCursor?: string | undefined }>;
  listPrompts(): Promise<{ prompts: { name: string }[] }>;
  listResources(): Promise<{ resources: { uri: string }[] }>;
  callTool(call: { name: string; arguments?: Record<string, unknown> }): Promise<unknown>;
  getPrompt(call: { name: string }): Promise<{ messages: { content: unknown }[] }>;
  readResource(call: { uri: string }): Promise<{ contents: unknown[] }>;
  ping(): Promise<unknown>;
};

interface Stage {
  readonly gate: TestGate;
  readonly alpha: McpFixture;
  readonly beta: McpFixture;
  readonly client: AnyClient;
  readonly transport: LegacyTransport | StreamableHTTPClientTransport;
}

const ERAS = ['modern', 'legacy'] as const;
type Era = (typeof ERAS)[number];

const fixture = (era: Era, name: string): Promise<McpFixture> =>
  era === 'modern' ? startModernFixture(() => modern(name)) : startLegacyFixture(() => legacy(name));

async function start(era: Era, policy?: string, eras: readonly [Era, Era] = [era, era]): Promise<Stage> {
  const alpha = await fixture(eras[0], 'alpha');
  const beta = await fixture(eras[1], 'beta');
  cleanup.push(
    () => alpha.close(),
    () => beta.close(),
  );
  const servers = {
    beta: { url: beta.url, resources: ['beta://'], aliases: { 'beta.odd': 'beta_odd' } },
    alpha: { url: alpha.url, resources: ['alpha://'] },
  };
  const gate = await startTestGate({
    upstreams: {},
    ...(policy !== undefined && { policy }),
    config: { mcp: { servers, pins: { mode: 'first-use' } } },
  });
  cleanup.push(() => gate.remove());
  return { gate, alpha, beta, ...(await connect(era, gate)) };
}

async function connect(era: Era, gate: TestGate): Promise<Pick<Stage, 'client' | 'transport'>> {
  const url = new URL(`${gate.url}/mcp`);
  if (era === 'legacy') {
    const client = new LegacyClient({ name: 'test', version: '1' }, { capabilities: { elicitation: {} } });
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => ({
      action: 'accept',
      content: { colour: params.message.startsWith('alpha') ? 'amber' : 'blue' },
    }));
    const transport = new LegacyTransport(url);
    await client.connect(transport);
    cleanup.push(() => client.close());
    return { client: client as unknown as AnyClient, transport };
  }
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  const transport = new StreamableHTTPClientTransport(url);
  await client.connect(transport);
  cleanup.push(() => client.close());
  return { client: client as unknown as AnyClient, transport };
}

const text = (result: unknown): string => (result as { content: { text: string }[] }).content.map((c) => c.text).join();
const asked = ({ seen }: McpFixture, method: string): number =>
  seen.filter((s) => s.text.includes(`"${method}"`)).length;

describe.each(ERAS)('one address for many servers, %s', (era) => {
  it('lists every server’s tools in the order of the file, under names a model’s provider takes', async () => {
    const { client } = await start(era);
    const own = era === 'legacy' ? ['ask'] : [];
    expect((await client.listTools()).tools.map((t) => t.name)).toEqual([
      'beta__search',
      'beta_odd',
      ...own.map((n) => `beta__${n}`),
    ]);
  });

  it('quarantines the second server’s tool of the same name until a person approved it', async () => {
    const { client, alpha } = await start(era);
    await client.listTools();
    expect(text(await client.callTool({ name: 'beta__search', arguments: { for: 'x' } }))).toBe('beta found x');
    expect(text(await client.callTool({ name: 'alpha__search', arguments: { for: 'x' } }))).toContain(
      'its name is also that of a trusted one of the server `beta`',
    );
    expect(asked(alpha, 'tools/call')).toBe(0);
  });

  it('calls by alias and by name, and no server sees another’s name', async () => {
    const { client, beta, alpha } = await start(era);
    expect(text(await client.callTool({ name: 'beta_odd', arguments: {} }))).toBe('beta odd');
    expect(text(await client.callTool({ name: 'beta__search', arguments: { for: 'y' } }))).toBe('beta found y');
    const calls = beta.seen.filter((s) => s.text.includes('"tools/call"'));
    expect(calls.map((s) => (JSON.parse(s.text) as { params: { name: string } }).params.name)).toEqual([
      'beta.odd',
      'search',
    ]);
    if (era === 'modern') expect(calls.map((s) => s.headers['mcp-name'])).toEqual(['beta.odd', 'search']);
    expect(asked(alpha, 'tools/call')).toBe(0);
  });

  it.each(['search', 'beta__nope', 'gamma__search', 'beta__beta.odd', ''])('refuses the name `%s`', async (name) => {
    const { client, beta, alpha } = await start(era);
    await expect(client.callTool({ name, arguments: {} })).rejects.toMatchObject({ code: -32602 });
    expect(asked(beta, 'tools/call') + asked(alpha, 'tools/call')).toBe(0);
  });

  it('routes prompts by name and resources by the prefixes their servers own', async () => {
    const { client } = await start(era);
    expect((await client.listPrompts()).prompts.map((p) => p.name)).toEqual(['beta__review']);
    expect(JSON.stringify(await client.getPrompt({ name: 'beta__review' }))).toContain('beta review');
    expect((await client.listResources()).resources.map((r) => r.uri)).toEqual(['beta://home', 'alpha://home']);
    expect(JSON.stringify(await client.readResource({ uri: 'alpha://home' }))).toContain('alpha home');
    await expect(client.readResource({ uri: 'stray://alpha' })).rejects.toMatchObject({ code: -32602 });
  });

  it('gives the approved instructions of each under its name', async () => {
    const { client } = await start(era);
    expect(client.getInstructions()).toBe('# beta\n\nbeta first\n\n# alpha\n\nalpha first');
    expect(Object.keys(client.getServerCapabilities() ?? {}).sort()).toEqual(
      expect.arrayContaining(['prompts', 'resources', 'tools']),
    );
  });

  it('leaves out a server that is down, and says so in the receipt', async () => {
    const { client, beta, gate } = await start(era);
    await beta.close();
    expect((await client.listResources()).resources.map((r) => r.uri)).toEqual(['alpha://home']);
    await gate.stop();
    const record = readdirSync(join(gate.folder, 'data'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.includes('.db'))
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
    expect(record.join()).toContain('`beta` is left out');
  });

  it('judges, prices and records a call like one at the server’s own address', async () => {
    const policy = `policy: tollgate/v1
name: test
default: allow
rules:
  - { id: no-x, at: pre_tool_call, tools: [search], servers: [beta], when: "args['for'] == 'x'", verdict: deny, message: not for x }
`;
    const { client, gate, beta } = await start(era, policy);
    expect(text(await client.callTool({ name: 'beta__search', arguments: { for: 'x' } }))).toContain('not for x');
    expect(asked(beta, 'tools/call')).toBe(0);
    const call = await eventually(async () => (await gate.calls()).find((c) => c.ending === 'denied'));
    expect(call).toMatchObject({ upstream: 'beta' });
  });
});

describe('legacy sessions over many servers', () => {
  it('are one handle for the caller; each server has its own, and all end with it', async () => {
    const { transport, alpha, beta } = await start('legacy');
    const { sessionId } = transport as LegacyTransport;
    expect(sessionId).toBeDefined();
    for (const { seen } of [alpha, beta]) {
      expect(seen.some((s) => s.headers['mcp-session-id'] === sessionId)).toBe(false);
      expect(
        seen.filter((s) => s.text.includes('notifications/initialized')).map((s) => s.headers['mcp-session-id']),
      ).toEqual([expect.any(String)]);
    }
    await (transport as LegacyTransport).terminateSession();
    await eventually(() => [alpha, beta].every(({ seen }) => seen.some((s) => s.method === 'DELETE')));
  });

  it('a question of a server reaches the person, and the answer that server', async () => {
    const { client } = await start('legacy');
    expect(text(await client.callTool({ name: 'beta__ask' }))).toBe('beta heard {"colour":"blue"}');
    const both = await Promise.all([client.callTool({ name: 'beta__ask' }), client.callTool({ name: 'beta__ask' })]);
    expect(both.map(text)).toEqual(Array(2).fill('beta heard {"colour":"blue"}'));
    await client.ping();
  });

  it('a session of somebody else is unknown', async () => {
    const { gate, transport } = await start('legacy');
    const response = await fetch(`${gate.url}/mcp/alpha`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-session-id': (transport as LegacyTransport).sessionId ?? '',
      },
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
    });
    expect(response.status).toBe(404);
  });
});

describe('servers of two eras behind one address', () => {
  it('are a legacy endpoint: a modern client falls back, the modern-only server is left out', async () => {
    const { client } = await start('modern', undefined, ['legacy', 'modern']);
    expect((await client.listResources()).resources.map((r) => r.uri)).toEqual(['alpha://home']);
  });
});
