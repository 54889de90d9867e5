import { execFile } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { completion, json, startUpstream, type TestUpstream } from '../support/upstream.ts';

const BIN = join(import.meta.dirname, '../../bin/tollgate.mjs');

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const tollgate = (...args: string[]): Promise<Ran> =>
  new Promise((resolve) => {
    execFile(process.execPath, [BIN, ...args], { env: { ...process.env, NO_COLOR: '1' } }, (error, out, err) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err }),
    );
  });

let gate: TestGate;
let upstream: TestUpstream;
let config: string;

beforeAll(async () => {
  upstream = await startUpstream((_r, response) => json(response, 200, completion({ content: 'hi' })));
  gate = await startTestGate({
    policy: 'starter',
    upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } },
  });
  config = join(gate.folder, 'tollgate.yaml');
  const client = new OpenAI({ baseURL: `${gate.url}/run/burner/agent/looper/openai/v1`, apiKey: 'own' });
  for (const content of ['a', 'b'])
    await client.chat.completions.create({ model: 'gpt-4o-mini', messages: [{ role: 'user', content }] });
  await gate.sealed(2);
  // the index follows the record within its group commit
  await new Promise((r) => setTimeout(r, 250));
});

afterAll(async () => {
  await gate.remove();
  await upstream.close();
});

describe('beside a running gate', () => {
  it('`runs` lists runs and shows the steps of one', async () => {
    const list = await tollgate('runs', '-c', config);
    expect(list).toMatchObject({ code: 0 });
    expect(list.out).toMatch(/burner\s+looper/);
    const one = await tollgate('runs', 'burner', '-c', config, '--json');
    expect(JSON.parse(one.out)).toMatchObject({
      id: 'burner',
      cost_usd: '0.000018',
      steps: [{ step: 1 }, { step: 2 }],
    });
    expect((await tollgate('runs', 'burner', '-c', config)).out).toContain('burner');
    expect(await tollgate('runs', 'nope', '-c', config)).toMatchObject({ code: 1 });
  });

  it('`verify` finds the chain whole', async () => {
    const whole = await tollgate('verify', '-c', config);
    expect(whole.code).toBe(0);
    expect(whole.out).toMatch(/^ok: \d+ lines/);
  });

  it('`check` finds nothing wrong', async () => {
    expect(await tollgate('check', '-c', config)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^ok: \d+ rules/),
    });
  });
});

describe('exit codes and messages', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-cli-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    [['--help'], 0],
    [['--version'], 0],
    [['serve', '--help'], 0],
    [['nonsense'], 2],
    [['price'], 2],
    [['price', '-m', 'gpt-5', '--input', 'many'], 2],
    [['check', '-c', 'does-not-exist.yaml'], 2],
    [['price', '-m', 'no-such-model', '--input', '1'], 1],
    [['halts', 'lift', 'planet', 'x'], 2],
  ])('%j exits with %i', async (args, code) => {
    const ran = await tollgate(...args);
    expect(ran.code).toBe(code);
    if (code !== 0) expect(ran.err.trim()).not.toBe('');
    expect(ran.err).not.toMatch(/^\s+at /m);
  });

  it('`price` adds up', async () => {
    const { out, code } = await tollgate(
      'price',
      '--model',
      'gpt-4o-mini',
      '--input',
      '1000000',
      '--output',
      '1000000',
      '--json',
    );
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ provider: 'openai', cost_usd: '0.75', status: 'exact' });
  });

  it('`check` names file, line and column of every mistake', async () => {
    const policies = join(folder, 'bundle');
    mkdirSync(policies, { recursive: true });
    writeFileSync(
      join(policies, 'policy.yaml'),
      'policy: tollgate/v1\nname: bundle\ndefault: allow\nrules:\n  - id: typo\n    at: pre_tool_call\n    when: agrs.x == 1\n    verdict: deny\n',
    );
    const { out, code } = await tollgate('check', policies);
    expect(code).toBe(1);
    expect(out).toMatch(/policy\.yaml:7:11: .*`agrs`.*`args`/);
  });

  it('`verify` names the damaged line', async () => {
    const other = await startTestGate({ upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } } });
    await other.stop();
    const spool = join(other.folder, 'data', 'spool');
    const segment = readdirSync(spool).find((name) => name.startsWith('spool-')) as string;
    appendFileSync(join(spool, segment), '{"seq":9,"prev":"00","hash":"00","entry":{}}\n');
    const ran = await tollgate('verify', '-c', join(other.folder, 'tollgate.yaml'));
    expect(ran.code).toBe(1);
    expect(ran.err).toContain(segment);
    rmSync(other.folder, { recursive: true, force: true });
  });
});
