import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { inProcess, type Ran } from '../support/in-process.ts';
import { completion, json, message, startUpstream, type TestUpstream } from '../support/upstream.ts';
import {
  anthropicCost,
  anthropicUsage,
  dayOf,
  type KnownCall,
  openaiActivity,
  openaiCost,
} from '../unit/cli/reconcile/exports.ts';

let upstream: TestUpstream;
let gate: TestGate;
let config: string;
/** what the providers saw, by their own count */
let chat: KnownCall[];
let claude: KnownCall[];

beforeAll(async () => {
  upstream = await startUpstream((request, response) => {
    if (request.url.includes('/messages'))
      return json(response, 200, message([{ type: 'text', text: 'hi' }], { input_tokens: 300, output_tokens: 12 }));
    const prompt_tokens_details = { cached_tokens: 128 };
    json(
      response,
      200,
      completion({ content: 'hi' }, {
        prompt_tokens: 200,
        completion_tokens: 10,
        total_tokens: 210,
        prompt_tokens_details,
      } as never),
    );
  });
  gate = await startTestGate({
    upstreams: {
      openai: { base_url: upstream.url, dialects: ['openai-chat'] },
      anthropic: { base_url: upstream.url, dialects: ['anthropic-messages'] },
    },
  });
  config = join(gate.folder, 'tollgate.yaml');
  const openai = new OpenAI({ baseURL: `${gate.url}/openai/v1`, apiKey: 'own' });
  const anthropic = new Anthropic({ baseURL: `${gate.url}/anthropic`, apiKey: 'own' });
  const at = Date.now();
  chat = [];
  claude = [];
  for (let i = 0; i < 3; i += 1) {
    await openai.chat.completions.create({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: `${i}` }] });
    chat.push({ at, model: 'gpt-4o-mini-2024-07-18', input: 72, cacheRead: 128, cacheWrite: 0, output: 10 });
    await anthropic.messages.create({
      model: 'claude-sonnet-4-5',
      max_tokens: 50,
      messages: [{ role: 'user', content: `${i}` }],
    });
    claude.push({ at, model: 'claude-sonnet-4-5-20250929', input: 300, cacheRead: 0, cacheWrite: 0, output: 12 });
  }
  await gate.sealed(6);
  // the index follows the record within its group commit
  await new Promise((r) => setTimeout(r, 400));
});

afterAll(async () => {
  await gate.remove();
  await upstream.close();
});

function file(name: string, text: string): string {
  const path = join(gate.folder, name);
  writeFileSync(path, text);
  return path;
}

const reconcile = (...args: string[]): Promise<Ran> => inProcess('reconcile', '-c', config, ...args);

describe('`reconcile` beside a running gate', () => {
  it('agrees with the usage and the cost that the providers export', async () => {
    const usage = file('usage.csv', openaiActivity(chat));
    const day = dayOf((chat[0] as KnownCall).at);
    const cost = file('cost.csv', openaiCost([[day, 'gpt-4o-mini-2024-07-18, tokens', '0.0000792']]));
    const both = await reconcile('--provider', 'openai', usage, cost, '--json');
    expect(both).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(both.out)).toMatchObject({ ok: true, from: day, to: day, calls: 3, differences: [] });

    const theirs = file('anthropic.csv', anthropicUsage(claude));
    const bill = file('bill.csv', anthropicCost([[day, 'Claude Sonnet 4.5', 'output', '0.00324']]));
    const said = await reconcile('--provider', 'anthropic', theirs, bill);
    expect(said).toMatchObject({ code: 0 });
    expect(said.out).toMatch(/^ok: anthropic, .*, 3 calls here$/m);
  });

  it('finds traffic around the gate, and says whose key it was', async () => {
    const stray = { ...(chat[0] as KnownCall), input: 5000 };
    const rogue = openaiActivity([stray], 'key_laptop').split('\r\n').slice(1).join('\r\n');
    const usage = file('stray.csv', openaiActivity(chat) + rogue);
    const found = await reconcile('--provider', 'openai', usage, '--json');
    expect(found.code).toBe(1);
    expect(JSON.parse(found.out).differences).toMatchObject([
      {
        kind: 'unmetered',
        model: 'gpt-4o-mini',
        tokens: 5138,
        provider_keys: { key_laptop: 5138, key_gate: 630 },
        ours: { calls: 3, input: 216, cache_read: 384, output: 30 },
      },
    ]);
    const said = await reconcile('--provider', 'openai', usage);
    expect(said.out).toMatch(/gpt-4o-mini .*unmetered .*provider 5768 tokens .*here 630 .*key_laptop: 5138/);
    expect(said.out).toMatch(/find who calls it directly/);
    // only the gate's own key
    expect(await reconcile('--provider', 'openai', usage, '--key', 'key_gate')).toMatchObject({ code: 0 });
  });

  it('finds a price that drifted, and calls that the provider does not list', async () => {
    const usage = file('usage.csv', openaiActivity(chat));
    const day = dayOf((chat[0] as KnownCall).at);
    const cost = file('dear.csv', openaiCost([[day, 'gpt-4o-mini-2024-07-18, tokens', '0.0000999']]));
    const drift = await reconcile('--provider', 'openai', usage, cost, '--json');
    expect(drift.code).toBe(1);
    expect(JSON.parse(drift.out).differences).toMatchObject([
      { kind: 'price_drift', tokens: 0, cost_usd: '0.0000207' },
    ]);
    expect(await reconcile('--provider', 'openai', usage, cost, '--tolerance-cost', '30')).toMatchObject({ code: 0 });

    const nothing = file(
      'nothing.csv',
      openaiActivity([{ ...(chat[0] as KnownCall), input: 0, cacheRead: 0, output: 0 }]),
    );
    const absent = await reconcile('--provider', 'openai', nothing, '--json');
    expect(absent.code).toBe(1);
    expect(JSON.parse(absent.out).differences).toMatchObject([{ kind: 'absent', tokens: -630 }]);
  });

  it.each([
    [
      'a provider that no upstream uses',
      ['--provider', 'mistral', 'usage.csv'],
      /no upstream of .* has the prices of `mistral`; there are openai, anthropic/,
    ],
    ['no provider', ['usage.csv'], /--provider/],
    ['a file that is not there', ['--provider', 'openai', 'no-such.csv'], /`.*no-such\.csv` cannot be read/],
    [
      'a file of other columns',
      ['--provider', 'openai', 'odd.csv'],
      /odd\.csv`: its columns are not those of a known export/,
    ],
    ['a day that is none', ['--provider', 'openai', '--from', 'monday', 'usage.csv'], /a day such as 2026-11-22/],
    ['a span that ends first', ['--provider', 'openai', '--from', '2099-01-01', 'usage.csv'], /ends before it begins/],
    ['a state that is not there', ['--provider', 'openai', '--state', '/nowhere', 'usage.csv'], /nothing is recorded/],
    ['a tolerance of nothing', ['--provider', 'openai', '--tolerance-cost', 'some', 'usage.csv'], /a percentage/],
  ])('%s is asked wrongly: exit 2', async (_, args, says) => {
    file('usage.csv', openaiActivity(chat));
    file('odd.csv', 'a,b\n1,2\n');
    const ran = await reconcile(...args.map((arg) => (arg.endsWith('.csv') ? join(gate.folder, arg) : arg)));
    expect(ran.code).toBe(2);
    expect(ran.err).toMatch(says);
  });
});
