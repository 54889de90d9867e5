import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { McpServer } from '@modelcontextprotocol/server';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { runCommandLine } from '../../gateway/cli/program.ts';
import { startModernFixture } from '../support/mcp-fixture.ts';

const REPO = resolve(import.meta.dirname, '../..');
const FILES = join(REPO, 'node_modules/@modelcontextprotocol/server-filesystem/dist/index.js');

const folders: string[] = [];
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  process.exitCode = undefined;
});

const HEAD = `# our gate, by hand
listen: { host: 127.0.0.1,   port: 8787 } # the data door
state: ./data
policies: ./policies
pricing: ${JSON.stringify(join(REPO, 'pricing'))}
`;

function configWith(more = ''): string {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-mcp-cli-'));
  folders.push(folder);
  cpSync(join(REPO, 'policies/starter'), join(folder, 'policies/starter'), { recursive: true });
  const file = join(folder, 'tollgate.yaml');
  writeFileSync(file, HEAD + more);
  return file;
}

/** Runs `tollgate mcp …` in this process. */
async function mcp(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const said = { out: '', err: '' };
  const into = (which: keyof typeof said) => (text: unknown) => {
    said[which] += String(text);
    return true;
  };
  const out = vi.spyOn(process.stdout, 'write').mockImplementation(into('out'));
  const err = vi.spyOn(process.stderr, 'write').mockImplementation(into('err'));
  const error = vi.spyOn(console, 'error').mockImplementation(into('err'));
  process.exitCode = undefined;
  try {
    await runCommandLine(['node', 'tollgate', 'mcp', ...args]);
  } finally {
    for (const spy of [out, err, error]) spy.mockRestore();
  }
  return { code: Number(process.exitCode ?? 0), ...said };
}

const servers = (file: string): unknown => parse(readFileSync(file, 'utf8')).mcp.servers;

describe('tollgate mcp add', () => {
  it('puts a section at the end, then servers into it, and changes no other byte', async () => {
    const file = configWith();
    expect(
      await mcp('add', 'crm', '-c', file, '--url', 'https://mcp.example.com/mcp', '--bearer-env', 'CRM_T'),
    ).toMatchObject({ code: 0, err: '' });
    expect(readFileSync(file, 'utf8').startsWith(HEAD)).toBe(true);
    const first = readFileSync(file, 'utf8');
    const second = await mcp(
      'add',
      'files',
      '-c',
      file,
      '--env',
      'A=b=c',
      '--cwd',
      '/srv',
      '--',
      'npx',
      '-y',
      'a package',
      '--flag',
    );
    expect(second).toMatchObject({ code: 0 });
    expect(readFileSync(file, 'utf8').startsWith(first)).toBe(true);
    expect(servers(file)).toEqual({
      crm: { url: 'https://mcp.example.com/mcp', credential: { bearer: `\${CRM_T}` } },
      files: { command: ['npx', '-y', 'a package', '--flag'], env: { A: 'b=c' }, cwd: '/srv' },
    });
    expect(readdirSync(resolve(file, '..')).toSorted()).toEqual(['policies', 'tollgate.yaml']);
  });

  it('keeps comments and what comes after the section, however it is written', async () => {
    const tails = [
      'mcp:\n    servers:\n        one: # the first\n            url: https://a.example/mcp # here\n\n# the end\nlog: { level: warn }\n',
      'mcp: { servers: { one: { url: https://a.example/mcp } } } # flow\nlog: { level: warn } # the end\n',
      'mcp:\n  # which\n  pins: { mode: locked }\n  servers:\n    one: { url: https://a.example/mcp } # here\nlog: { level: warn } # the end',
    ];
    for (const tail of tails) {
      const file = configWith(tail);
      expect(await mcp('add', 'two', '-c', file, '--url', 'http://localhost:1/mcp')).toMatchObject({ code: 0 });
      expect(servers(file)).toEqual({ one: { url: 'https://a.example/mcp' }, two: { url: 'http://localhost:1/mcp' } });
      const text = readFileSync(file, 'utf8');
      for (const comment of tail.match(/#.*$/gm) ?? []) expect(text).toContain(comment);
      expect(parse(text)).toMatchObject({ log: { level: 'warn' } });
    }
  });

  it('writes nothing that could not be loaded, and says what was asked wrongly', async () => {
    const file = configWith('mcp:\n  servers:\n    one: { url: https://a.example/mcp }\n');
    const before = readFileSync(file, 'utf8');
    const refused: [number, RegExp, ...string[]][] = [
      [1, /nothing was written: .*named in lower case/s, 'Bad_Name', '--url', 'https://b.example/mcp'],
      [1, /nothing was written: .*https to another machine/s, 'two', '--url', 'http://b.example/mcp'],
      [1, /has a server `one` already/, 'one', '--url', 'https://b.example/mcp'],
      [2, /either --url <url>, or a command/, 'two'],
      [2, /either --url <url>, or a command/, 'two', '--url', 'https://b.example/mcp', '--', 'npx'],
      [2, /--env and --cwd belong to a command/, 'two', '--url', 'https://b.example/mcp', '--env', 'A=b'],
      [2, /is no NAME=VALUE/, 'two', '--env', 'A', '--', 'npx'],
    ];
    for (const [code, message, name, ...args] of refused) {
      const ran = await mcp('add', String(name), '-c', file, ...args);
      expect({ code: ran.code, err: ran.err }).toEqual({ code, err: expect.stringMatching(message) });
    }
    expect(readFileSync(file, 'utf8')).toBe(before);
    expect(await mcp('add', 'a', '-c', `${file}.none`, '--url', 'https://b.example/mcp')).toMatchObject({ code: 2 });
  });
});

describe('tollgate mcp list and config', () => {
  const section =
    'mcp:\n  servers:\n    web: { url: "https://a.example/mcp?key=hidden" }\n    files: { command: [npx, --token, hidden], env: { T: hidden } }\n';

  it('lists servers without what may be a secret', async () => {
    const file = configWith(section);
    const { out, code } = await mcp('list', '-c', file);
    expect(code).toBe(0);
    expect(out).toMatch(/web +http +https:\/\/a\.example\/mcp +\/mcp\/web, \/mcp +0 +0/);
    expect(out).toMatch(/files +stdio +npx /);
    expect(out).not.toContain('hidden');
    const json = JSON.parse((await mcp('list', '-c', file, '--json')).out);
    expect(json.servers).toMatchObject([
      { name: 'web', waiting: 0 },
      { name: 'files', transport: 'stdio' },
    ]);
  });

  it('prints what each client reads, with a key where callers need one', async () => {
    const file = configWith(`access: keys\n${section}`);
    const of = async (client: string, ...more: string[]) =>
      (await mcp('config', '--client', client, '-c', file, ...more)).out;
    expect(JSON.parse(await of('claude-code'))).toEqual({
      mcpServers: {
        tollgate: {
          type: 'http',
          url: 'http://localhost:8787/mcp',
          headers: { Authorization: `Bearer \${TOLLGATE_KEY}` },
        },
      },
    });
    expect(JSON.parse(await of('cursor', '--server', 'web'))).toEqual({
      mcpServers: {
        web: { url: 'http://localhost:8787/mcp/web', headers: { Authorization: `Bearer \${env:TOLLGATE_KEY}` } },
      },
    });
    expect(JSON.parse(await of('vscode', '--url', 'https://gate.example/'))).toMatchObject({
      inputs: [{ id: 'tollgate-key', password: true }],
      servers: { tollgate: { type: 'http', url: 'https://gate.example/mcp' } },
    });
    expect(await of('codex')).toBe(
      '[mcp_servers.tollgate]\nurl = "http://localhost:8787/mcp"\nbearer_token_env_var = "TOLLGATE_KEY"\n',
    );
    expect(await mcp('config', '--client', 'codex', '-c', file, '--server', 'wen')).toMatchObject({
      code: 1,
      err: expect.stringContaining('did you mean `web`'),
    });
    expect(await mcp('config', '--client', 'emacs', '-c', file)).toMatchObject({ code: 2 });
    expect(await mcp('config', '-c', file)).toMatchObject({ code: 2 });
  });
});

describe('tollgate mcp test', () => {
  it('starts a real server from the configuration, lists its tools, and leaves no trace', async () => {
    const file = configWith();
    const folder = resolve(file, '..');
    await mcp('add', 'files', '-c', file, '--', process.execPath, FILES, folder);
    const { code, out } = await mcp('test', 'files', '-c', file);
    expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(/read_text_file +waiting/) });
    expect(out).toMatch(/of \d+ tools are not approved/);
    expect(readdirSync(folder).toSorted()).toEqual(['policies', 'tollgate.yaml']);
  });

  it('speaks to a modern server, and says what stands in the way of one that is not there', async () => {
    const fixture = await startModernFixture(() => {
      const server = new McpServer({ name: 'mine', version: '7' });
      server.registerTool('pull', { description: 'pulls' }, () => ({ content: [{ type: 'text', text: 'x' }] }));
      return server;
    });
    closing.push(() => fixture.close());
    const file = configWith(
      `mcp:\n  servers:\n    mine: { url: "${fixture.url}" }\n    gone: { url: "http://127.0.0.1:9/mcp" }\n`,
    );
    const { out, code } = await mcp('test', 'mine', '-c', file, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      server: 'mine',
      version: '2026-07-28',
      tools: [{ name: 'pull', standing: 'waiting' }],
    });
    const gone = await mcp('test', 'gone', '-c', file);
    expect(gone).toMatchObject({ code: 1, out: expect.stringContaining('`gone` cannot be used: status 502') });
    expect(await mcp('test', 'main', '-c', file)).toMatchObject({ code: 1, err: expect.stringContaining('`mine`') });
    expect(await mcp('test', '-c', file, '--', 'rm')).toMatchObject({ code: 1 });
  });
});
