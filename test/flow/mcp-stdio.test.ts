import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';

const REPO = resolve(import.meta.dirname, '../..');
const FIXTURE = join(REPO, 'test/support/stdio-server-process.ts');
const real = (name: string): string => join(REPO, 'node_modules/@modelcontextprotocol', name, 'dist/index.js');

let folder: string;
const cleanup: (() => unknown)[] = [];
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'tollgate-mcp-stdio-')));
  cleanup.push(() => rmSync(folder, { recursive: true, force: true }));
});
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

async function gateFor(servers: Record<string, unknown>, policy?: string): Promise<TestGate> {
  const config = { mcp: { servers, pins: { mode: 'first-use' } }, limits: { shutdown_s: 1 } };
  const gate = await startTestGate({ upstreams: {}, config, ...(policy !== undefined && { policy }) });
  cleanup.push(() => gate.remove());
  return gate;
}

const newClient = (): Client => {
  const client = new Client({ name: 'test', version: '1' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { sure: true } }));
  return client;
};

async function throughGate(gate: TestGate, server: string): Promise<Client & { url: string }> {
  const client = newClient();
  const url = `${gate.url}/mcp/${server}`;
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  cleanup.push(() => client.close());
  return Object.assign(client, { url });
}

async function direct(command: string[], env: Record<string, string> = {}): Promise<Client> {
  const client = newClient();
  const [program, ...args] = command as [string, ...string[]];
  await client.connect(new StdioClientTransport({ command: program, args, env, cwd: folder, stderr: 'ignore' }));
  cleanup.push(() => client.close());
  return client;
}

const textOf = (result: unknown): string => (result as { content: { text: string }[] }).content[0]?.text ?? '';
const pids = (): number[] => readFileSync(join(folder, 'pids'), 'utf8').trim().split('\n').map(Number);
const alive = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

describe('two real servers from npm, unchanged', () => {
  it('the filesystem server says the same through the gate', async () => {
    writeFileSync(join(folder, 'note.txt'), 'größe: 10 €\n');
    const command = [process.execPath, real('server-filesystem'), folder];
    const gate = await gateFor({ files: { command, cwd: folder } });
    const [near, far] = [await direct(command), await throughGate(gate, 'files')];
    expect(far.getServerVersion()).toEqual(near.getServerVersion());
    expect(far.getServerCapabilities()).toEqual(near.getServerCapabilities());
    const tools = await far.listTools();
    expect(tools.tools.length).toBeGreaterThan(8);
    expect(tools).toEqual(await near.listTools());
    for (const call of [
      { name: 'read_text_file', arguments: { path: join(folder, 'note.txt') } },
      { name: 'list_allowed_directories', arguments: {} },
      { name: 'read_text_file', arguments: { path: '/etc/passwd' } },
      { name: 'read_text_file', arguments: {} },
    ]) {
      const said = await Promise.allSettled([near.callTool(call), far.callTool(call)]);
      expect(said[1], JSON.stringify(call)).toEqual(said[0]);
    }
    // what no list shows is not even asked for
    await expect(far.callTool({ name: 'no_such_tool' })).rejects.toThrow('no list of its server shows it');
    await far.callTool({
      name: 'write_file',
      arguments: { path: join(folder, 'made.txt'), content: 'through the gate' },
    });
    expect(readFileSync(join(folder, 'made.txt'), 'utf8')).toBe('through the gate');
    const steps = await eventually(async () => {
      const called = (await gate.calls()).filter((c) => c.actions.some((a) => a.tool === 'write_file'));
      return called.length === 1 ? called : undefined;
    });
    expect(steps[0]).toMatchObject({ upstream: 'files', dialect: 'mcp', status: 200, ending: 'completed' });
  });

  it('the memory server keeps what it is told, in a session of its own', async () => {
    const env = { MEMORY_FILE_PATH: join(folder, 'memory.jsonl') };
    const command = [process.execPath, real('server-memory')];
    const gate = await gateFor({ memory: { command, env } });
    const far = await throughGate(gate, 'memory');
    const entity = { name: 'Ada', entityType: 'person', observations: ['wrote the first program'] };
    await far.callTool({ name: 'create_entities', arguments: { entities: [entity] } });
    expect(readFileSync(env.MEMORY_FILE_PATH, 'utf8')).toContain('first program');
    const near = await direct(command, env);
    expect(await far.listTools()).toEqual(await near.listTools());
    const read = { name: 'read_graph', arguments: {} };
    expect(await far.callTool(read)).toEqual(await near.callTool(read));
    expect((await far.callTool(read)).structuredContent).toMatchObject({ entities: [entity] });
  });

  it('both stand behind one address, under names of their own', async () => {
    const gate = await gateFor({
      files: { command: [process.execPath, real('server-filesystem'), folder] },
      memory: {
        command: [process.execPath, real('server-memory')],
        env: { MEMORY_FILE_PATH: join(folder, 'm.jsonl') },
      },
    });
    const client = newClient();
    await client.connect(new StreamableHTTPClientTransport(new URL(`${gate.url}/mcp`)));
    cleanup.push(() => client.close());
    const names = (await client.listTools()).tools.map((tool) => tool.name);
    expect(names).toEqual(expect.arrayContaining(['files__read_text_file', 'memory__read_graph']));
    expect(textOf(await client.callTool({ name: 'files__list_allowed_directories', arguments: {} }))).toContain(folder);
    expect(textOf(await client.callTool({ name: 'memory__read_graph', arguments: {} }))).toContain('entities');
  });
});

describe('a server of both eras, made of the official SDK', () => {
  const both = (): Record<string, unknown> => ({
    both: { command: [process.execPath, join(REPO, 'test/support/sdk-stdio-server-process.ts')], share: 'everyone' },
  });

  it('serves clients of the new era from one process, and older ones from a process each', async () => {
    const gate = await gateFor(both());
    const modern = async (): Promise<ModernClient> => {
      const client = new ModernClient({ name: 'new', version: '1' }, { versionNegotiation: { mode: 'auto' } });
      await client.connect(new ModernTransport(new URL(`${gate.url}/mcp/both`)));
      cleanup.push(() => client.close());
      return client;
    };
    const say = async (client: Pick<Client, 'listTools'> | ModernClient): Promise<string> => {
      await client.listTools();
      return textOf(await (client as ModernClient).callTool({ name: 'echo', arguments: { text: 'größe' } }));
    };
    const [first, second] = [await modern(), await modern()];
    expect(first.getNegotiatedProtocolVersion()).toBe('2026-07-28');
    const said = await Promise.all([say(first), say(second)]);
    expect(said[0]).toMatch(/^[0-9]+: größe$/);
    expect(said[1]).toBe(said[0]);
    const old = await throughGate(gate, 'both');
    const older = await throughGate(gate, 'both');
    expect(new Set([said[0], await say(old), await say(older)]).size).toBe(3);
  });
});

describe('a process behind the gate', () => {
  const fixture = (env: Record<string, string> = {}): Record<string, unknown> => ({
    odd: { command: [process.execPath, FIXTURE], env: { PID_FILE: join(folder, 'pids'), ...env } },
  });

  it('is one for each session, and ends with it or with the gate', async () => {
    const gate = await gateFor(fixture());
    const [a, b] = [await throughGate(gate, 'odd'), await throughGate(gate, 'odd')];
    const said = [textOf(await a.callTool({ name: 'pid' })), textOf(await b.callTool({ name: 'pid' }))];
    expect(new Set(said).size).toBe(2);
    expect(said.map(Number).filter(alive)).toHaveLength(2);
    await (a.transport as StreamableHTTPClientTransport).terminateSession();
    await eventually(() => !alive(Number(said[0])));
    expect(alive(Number(said[1]))).toBe(true);
    await gate.stop();
    expect(pids().filter(alive)).toEqual([]);
  });

  it('that dies in mid-call is an error the client reads, and a new session works', async () => {
    const gate = await gateFor(fixture());
    const client = await throughGate(gate, 'odd');
    await expect(client.callTool({ name: 'die' })).rejects.toThrow(/-32603|ended/);
    const next = await throughGate(gate, 'odd');
    expect(textOf(await next.callTool({ name: 'echo', arguments: { text: 'again' } }))).toBe('again');
  });

  it('that writes no message fails the call, which the record shows', async () => {
    const gate = await gateFor(fixture());
    const client = await throughGate(gate, 'odd');
    await expect(client.callTool({ name: 'garbage' })).rejects.toThrow('sent something that is no message');
    await eventually(() =>
      readdirSync(join(gate.folder, 'data/spool')).some((file) =>
        readFileSync(join(gate.folder, 'data/spool', file), 'utf8').includes('"mcp_unreadable"'),
      ),
    );
  });

  it('reports progress, asks its user, and is judged', async () => {
    const gate = await gateFor(
      fixture(),
      'policy: tollgate/v1\nname: test\ndefault: allow\nrules:\n  - id: no-env\n    at: pre_tool_call\n    tools: [env]\n    verdict: deny\n    reason: secrets\n',
    );
    const client = await throughGate(gate, 'odd');
    const progress: number[] = [];
    const options = { onprogress: (p: { progress: number }) => void progress.push(p.progress) };
    expect(textOf(await client.callTool({ name: 'progress' }, undefined, options))).toBe('done');
    expect(progress).toEqual([1, 2]);
    expect(textOf(await client.callTool({ name: 'ask' }))).toBe('{"action":"accept","content":{"sure":true}}');
    const denied = await client.callTool({ name: 'env' });
    expect([denied.isError, textOf(denied)]).toEqual([true, expect.stringContaining('test/no-env')]);
  });

  it('of the new era serves the callers of the new era', async () => {
    const gate = await gateFor(fixture({ ERA: 'modern' }));
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const call = { name: 'echo', arguments: { text: 'hi' }, _meta: meta };
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'echo',
    };
    const ask = (method: string, params: unknown, more: Record<string, string>): Promise<Response> =>
      fetch(`${gate.url}/mcp/odd`, {
        method: 'POST',
        headers: { ...headers, ...more },
        body: JSON.stringify({ jsonrpc: '2.0', id: 7, method, params }),
      });
    const list = await ask('tools/list', { _meta: meta }, { 'mcp-method': 'tools/list', 'mcp-name': '' });
    expect(list.status).toBe(200);
    const answer = await ask('tools/call', call, {});
    expect([answer.status, await answer.json()]).toMatchObject([200, { id: 7, result: { resultType: 'complete' } }]);
    expect(pids()).toHaveLength(1);
  });
});
