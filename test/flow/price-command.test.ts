import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import { startTestGate } from '../support/gate.ts';
import { inProcess } from '../support/in-process.ts';
import { completion, json, startUpstream } from '../support/upstream.ts';

describe('`price`', () => {
  it.each([
    [['price', '-m', 'gpt-5', '--tokens', 'inptu=3'], 2, /kinds are input, cache_read/],
    [['price', '-m', 'gpt-5', '--fee', 'web_search'], 2, /whole number/],
    [['price', '--tool', 'a', '-m', 'gpt-5'], 2, /name a model with --model, or a tool/],
    [['price', '--tool', 'mystery', '--server', 'far'], 1, /`far\/mystery`/],
    [['price', 'check', '--max-age', 'old'], 2, /whole number/],
    [['price', 'check', '--no-diff', '--at', 'someday'], 2, /no ISO date/],
    [['price', 'check', '--pricing', 'does-not-exist'], 1, /does-not-exist/],
  ])('%j exits with %i', async (args, code, says) => {
    const ran = await inProcess(...args);
    expect(ran).toMatchObject({ code, err: expect.stringMatching(says) });
  });

  it('`price` shows every factor of every line', async () => {
    const { out, code } = await inProcess(
      ...['price', '-m', 'gpt-5.6-sol', '--input', '300000', '--cache-read', '1000', '--output', '10'],
      ...['--fee', 'web_search=2', '--tier', 'flex', '--region', 'eu', '--at', '2026-11-22'],
    );
    expect(code).toBe(0);
    expect(out.split('\n').slice(0, 9)).toEqual([
      'openai / gpt-5.6-sol: $1.340605 (estimated)',
      '  input           300000  × $8/M × 0.5 × 1.1    = $1.32',
      '  cache_read        1000  × $0.8/M × 0.5 × 1.1  = $0.00044',
      '  output              10  × $30/M × 0.5 × 1.1   = $0.000165',
      '  fee:web_search       2  × $0.01               = $0.02',
      '  row     gpt-5.6-sol from 2026-08-21',
      '  tier    flex, × 0.5; known: default, batch, scale, flex, priority',
      '  region  eu, × 1.1; known: us, eu',
      '  prompt  301000 tokens, above 271999: the prices of long prompts hold for all of them',
    ]);
    const night = await inProcess(
      ...['price', '-m', 'deepseek-v4-pro', '--input', '1000000', '--at', '2026-11-22T02:00Z', '--json'],
    );
    expect(JSON.parse(night.out)).toMatchObject({ cost_usd: '1.32', row: { from: '2026-08-17', in_force: true } });
  });

  it('`price --tool` counts arguments and results', async () => {
    const quote = await inProcess(
      'price',
      '--tool',
      'tavily_search',
      '--args',
      '{"search_depth":"advanced"}',
      '--json',
    );
    expect(quote.code).toBe(0);
    expect(JSON.parse(quote.out)).toMatchObject({
      tool: 'tavily_search',
      cost_usd: '0.016',
      status: 'exact',
      bounded: true,
    });
  });

  it('`price check` fails on prices that nobody looked at for long', async () => {
    const fresh = await inProcess('price', 'check', '--no-diff', '--at', '2026-11-30');
    expect(fresh).toMatchObject({ code: 0, out: 'ok\n' });
    const old = await inProcess('price', 'check', '--no-diff', '--at', '2027-06-01', '--json');
    expect(old.code).toBe(1);
    expect(JSON.parse(old.out)).toMatchObject({ ok: false, compared: 0 });
    expect(JSON.parse(old.out).stale.length).toBeGreaterThan(100);
  });

  it('`price check` compares with the public table', async () => {
    const { out, code } = await inProcess('price', 'check', '--at', '2026-11-22');
    expect(code).toBe(0);
    expect(out).toMatch(
      /^\d+ rates compared, \d+ known differences, .*\n(?:the public table does not know .*\n)?ok\n$/,
    );
  });

  it('`price check` fails only on the models that are used, where calls are recorded', async () => {
    const upstream = await startUpstream((_request, response) => json(response, 200, completion({ content: 'hi' })));
    const gate = await startTestGate({ upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } } });
    const config = join(gate.folder, 'tollgate.yaml');
    const client = new OpenAI({ baseURL: `${gate.url}/openai/v1`, apiKey: 'own' });
    for (const content of ['a', 'b'])
      await client.chat.completions.create({ model: 'gpt-4o-mini', messages: [{ role: 'user', content }] });
    await gate.sealed(2);
    await gate.stop();
    const pricing = join(gate.folder, 'old-prices');
    mkdirSync(pricing);
    for (const name of readdirSync('pricing').filter((file) => file.endsWith('.yaml')))
      writeFileSync(
        join(pricing, name),
        readFileSync(join('pricing', name), 'utf8').replaceAll('checked: 2026-11-22', 'checked: 2020-01-01'),
      );
    const { code, out } = await inProcess('price', 'check', '--no-diff', '-c', config, '--pricing', pricing, '--json');
    expect(code).toBe(1);
    const { stale } = JSON.parse(out) as { stale: { provider: string; model: string; calls: number | null }[] };
    expect(stale.map(({ provider, model, calls }) => [provider, model, calls])).toEqual([
      ['openai', 'gpt-4o-mini', 2],
      ['tools', 'tavily_search', null],
    ]);
    rmSync(gate.folder, { recursive: true, force: true });
    await upstream.close();
  });
});
