import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../gateway/config/load.ts';
import { readSources } from '../../gateway/main.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const TIMEOUT_MS = 60_000;

const folders: string[] = [];
const running: ReturnType<typeof spawn>[] = [];

afterEach(() => {
  for (const child of running.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Runs the demo as `npm run demo` does, with a temporary folder of its own. */
function demo(args: readonly string[] = [], columns = 120) {
  const temp = mkdtempSync(join(tmpdir(), 'tollgate-demo-test-'));
  folders.push(temp);
  const child = spawn(process.execPath, ['demo/run.ts', ...args], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], TMPDIR: temp, COLUMNS: String(columns) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  const said = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text));
  const ended = new Promise<number | null>((done) => child.once('close', done));
  return { child, temp, said, ended };
}

describe('npm run demo', () => {
  it('shows an allowed call, a redaction, a denial and a halted runaway, and what was saved', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const { said, ended, temp } = demo();
    const code = await ended;
    expect(said.err).toBe('');
    expect(code).toBe(0);
    const lines = said.out.split('\n');
    const line = (start: string): string => lines.find((one) => one.trimStart().startsWith(start)) ?? '';
    const fed = (pattern: RegExp): string[] => lines.filter((one) => /^\d\d:\d\d:\d\d /.test(one) && pattern.test(one));

    expect(fed(/support\/r1 +#1 →lookup_order +allow .* \d+→\d+ +\$0\.\d{4} +\$0\.\d{4}$/)).toHaveLength(1);
    expect(fed(/support\/r1 +#3 ←read_ticket +redact starter\/hide-secrets /)).toHaveLength(1);
    expect(fed(/ops\/r2 +#2 →bash +DENY starter\/no-root-delete /)).toHaveLength(1);
    expect(fed(/looper\/r3 .* allow /).length).toBeGreaterThanOrEqual(8);
    expect(fed(/looper\/r3 .* HALT budget/)).toHaveLength(1);

    // what the agents got: no key, no rm, an error that is clean and final
    expect(said.out).toContain('<AWS_SECRET_KEY_1>');
    expect(lines.filter((one) => / ran: /.test(one)).map((one) => one.split(' ran: ')[1])).toEqual([
      'df -h /',
      'docker builder prune --force',
    ]);
    expect(line('looper  │')).toContain('APIError 402 tollgate denied the call: the run budget of $0.05');

    // the same gate in front of tools: two real servers from npm over stdio, and one whose description changed
    const tools = said.out.slice(said.out.indexOf('4  tools:'));
    expect(tools).toMatch(/tools\/list +allow\n.*\d+ tools of files, memory, weather/);
    expect(tools).toMatch(/files__read_text_file +allow\n.*A-1009/);
    expect(tools).toMatch(/files__write_file +DENY\n[\s\S]*tools\/files-are-read-only/);
    expect(tools).toMatch(/files__read_text_file +redact\n.*<AWS_SECRET_KEY_1>/);
    expect(tools).toMatch(
      /weather__forecast +allow\n.*sunny[\s\S]*weather__forecast +HIDE\n[\s\S]*weather__forecast +DENY\n/,
    );

    expect(line('model calls')).toMatch(/19, each judged, priced and recorded; \$0\.0\d{3} in all/);
    expect(line('tool calls denied')).toMatch(/ 1 before the agent could see or run it, 2 over MCP$/);
    expect(line('secrets redacted')).toMatch(/ 1 before the provider could read it, 1 in a tool result$/);
    expect(line('tools quarantined')).toMatch(/ 1, whose description had changed$/);
    expect(line('runaway stopped')).toMatch(/at \$0\.0[34]\d\d of its \$0\.05, after 12 calls/);
    expect(line('unchecked')).toMatch(/\$\d+\.\d\d an hour/);
    expect(line('record')).toMatch(/\d+ lines, hash chain verified/);
    expect(said.out).not.toContain('\x1b');
    expect(readdirSync(temp)).toEqual([]);
  });

  it('stays within 80 columns, stays open with --keep and leaves nothing behind when it is ended', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const { child, said, ended, temp } = demo(['--keep'], 80);
    await expect.poll(() => said.out, { timeout: TIMEOUT_MS - 10_000, interval: 100 }).toContain('ctrl-c ends it');
    const base = /OPENAI_BASE_URL=(\S+\/openai\/v1) +any key/.exec(said.out)?.[1];
    const reply = await fetch(`${base}/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer any', 'x-tollgate-agent': 'mine', 'x-tollgate-run': 'own' },
      body: JSON.stringify({ model: 'gpt-6-luna', max_tokens: 100, messages: [{ role: 'user', content: 'hello' }] }),
    });
    expect(reply.status).toBe(200);
    await expect.poll(() => said.out).toMatch(/mine\/own +1 text +allow/);
    child.kill('SIGINT');
    const code = await ended;
    expect(said.err).toBe('');
    expect(said.out).not.toContain('not as promised');
    expect(code).toBe(0);
    expect(said.out.split('\n').filter((one) => [...one].length > 80)).toEqual([]);
    expect(readdirSync(temp)).toEqual([]);
  });

  it('can be interrupted in the middle and cleans up', { timeout: TIMEOUT_MS }, async () => {
    const { child, said, ended, temp } = demo();
    await expect.poll(() => said.out, { timeout: TIMEOUT_MS - 10_000 }).toContain('1  a support agent');
    await wait(100);
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(readdirSync(temp)).toEqual([]);
  });
});

describe('the example configuration', () => {
  it('starts without any environment variable and finds its policies and prices', () => {
    const file = join(ROOT, 'tollgate.yaml');
    const config = loadConfig(file, readFileSync(file, 'utf8'), {});
    expect(config).toMatchObject({ listen: { host: '127.0.0.1', port: 8787 }, office: { port: 8788 }, access: 'open' });
    expect(Object.keys(config.upstreams)).toEqual(['openai', 'anthropic']);
    expect(config.budgets.map(({ scope, window = 'total', limit_usd }) => [scope, window, limit_usd])).toEqual([
      ['run', 'total', 5_000_000_000n],
      ['agent', 'day', 100_000_000_000n],
    ]);
    const { policies, prices } = readSources(config, false);
    expect(policies.length).toBeGreaterThan(0);
    expect(prices.length).toBeGreaterThan(1);
  });
});
