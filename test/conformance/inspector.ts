import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ALLOW_ALL, startGate } from './stage.ts';
import type { Check, Results } from './suites.ts';

const MAIN = 'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js';
const RUN_MS = 60_000;

/** Its exit code for a result with `isError`. */
const TOOL_ERROR = 5;

/** What a person asks of a server with MCP Inspector's command line. */
const COMMANDS: readonly (readonly [name: string, ...args: string[]])[] = [
  ['tools-list', 'tools/list'],
  ['tools-call', 'tools/call', '--tool-name', 'test_simple_text'],
  ['tools-call-mixed', 'tools/call', '--tool-name', 'test_multiple_content_types'],
  ['tools-call-error', 'tools/call', '--tool-name', 'test_error_handling'],
  ['resources-list', 'resources/list'],
  ['resources-read', 'resources/read', '--uri', 'test://static-text'],
  ['resource-templates-list', 'resources/templates/list'],
  ['prompts-list', 'prompts/list'],
  ['prompts-get', 'prompts/get', '--prompt-name', 'test_prompt_with_arguments', '--prompt-args', 'arg1=a', 'arg2=b'],
];

/** Runs MCP Inspector's commands direct and through a gate: exit code and all it printed, as checks of one scenario each. */
export async function inspect(fixture: string): Promise<readonly [direct: Results, through: Results]> {
  const home = mkdtempSync(join(tmpdir(), 'tollgate-inspector-'));
  const gate = await startGate({ url: fixture }, ALLOW_ALL);
  try {
    return [await ask(fixture, home), await ask(gate.url, home)];
  } finally {
    await gate.close();
    rmSync(home, { recursive: true, force: true });
  }
}

async function ask(url: string, home: string): Promise<Results> {
  const results = new Map<string, readonly Check[]>();
  for (const [name, method, ...args] of COMMANDS) {
    const all = ['--cli', url, '--transport', 'http', '--method', String(method), ...args, '--format', 'json'];
    const { code, out, err } = await run(all, home);
    const meant = name === 'tools-call-error' ? TOOL_ERROR : 0;
    results.set(name, [{ id: name, status: code === meant ? 'SUCCESS' : 'FAILURE', details: { code, out, err } }]);
  }
  return results;
}

function run(args: readonly string[], home: string): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: import.meta.dirname,
      // its catalog and secrets belong to whoever uses the machine
      env: { PATH: process.env['PATH'], HOME: home, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: RUN_MS,
    });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    child.once('error', fail);
    child.once('close', (code) => done({ code, out, err }));
  });
}
