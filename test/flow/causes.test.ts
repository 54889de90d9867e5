import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import OpenAI from 'openai';
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { afterEach, expect, it } from 'vitest';
import { usdToNano } from '../../gateway/domain/money.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { completion, json, startUpstream, type TestUpstream } from '../support/upstream.ts';

let gate: TestGate;
let upstream: TestUpstream;

afterEach(async () => {
  await gate.remove();
  await upstream.close();
});

const BIG = 'A long page of search results. '.repeat(4000);
const sum = (amounts: readonly string[]): bigint => amounts.reduce((all, usd) => all + usdToNano(usd), 0n);

it('a result that every later turn reads again is what the run cost, and both partitions add up', async () => {
  let turn = 0;
  upstream = await startUpstream((request, response) => {
    turn += 1;
    // a token for every four characters, half of the prompt from the cache after the second turn
    const prompt = Math.ceil(request.text.length / 4);
    const usage = {
      prompt_tokens: prompt,
      completion_tokens: 30,
      total_tokens: prompt + 30,
      prompt_tokens_details: { cached_tokens: turn > 2 ? prompt >> 1 : 0 },
    };
    const name = turn === 1 ? 'search' : 'note';
    const call = { id: `call_unique_${turn}x`, type: 'function', function: { name, arguments: `{"n":${turn}}` } };
    const last = turn === 8;
    json(
      response,
      200,
      completion(last ? { content: 'done' } : { content: null, tool_calls: [call] }, usage, 'gpt-4o'),
    );
  });
  gate = await startTestGate({ upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } } });
  const openai = new OpenAI({ baseURL: `${gate.url}/run/r/openai/v1`, apiKey: 'own' });
  const messages: ChatCompletionMessageParam[] = [{ role: 'user', content: 'look it up, then write eight notes' }];
  for (;;) {
    const { choices } = await openai.chat.completions.create({ model: 'gpt-4o', messages });
    const message = choices[0]?.message as OpenAI.ChatCompletionMessage;
    messages.push(message);
    if (!message.tool_calls) break;
    const [call] = message.tool_calls as OpenAI.ChatCompletionMessageFunctionToolCall[];
    messages.push({
      role: 'tool',
      tool_call_id: call?.id ?? '',
      content: call?.function.name === 'search' ? BIG : 'noted',
    });
  }
  const calls = await gate.sealed(8);
  const run = await gate.run('r');
  const total = usdToNano(run.cost_usd);
  expect(sum(calls.map(({ cost_usd }) => cost_usd))).toBe(total);
  expect(sum(run.caused.map(({ caused_usd }) => caused_usd))).toBe(total);
  for (const { caused_usd, by } of run.caused) expect(sum(by.map(({ usd }) => usd))).toBe(usdToNano(caused_usd));

  // the result came with step 2 and was read by seven calls
  const [dearest] = run.caused;
  expect(dearest).toMatchObject({ step: 2 });
  expect(dearest?.by[0]).toMatchObject({ source: 'tool:search', reads: 7 });
  // all that came with it is the answer before it, whose tokens its own turn counted
  expect(dearest?.by[0]).toMatchObject({ basis: 'measured' });
  expect(run.caused.flatMap(({ by }) => by).find(({ source }) => source === 'request')?.basis).toBe('apportioned');
  expect(calls.some(({ certainty }) => certainty !== 'exact')).toBe(false);
  expect(Number(dearest?.caused_usd) / Number(run.cost_usd)).toBeGreaterThan(0.9);
  const paidAt2 = usdToNano(calls[1]?.cost_usd as string);
  expect(usdToNano(dearest?.caused_usd as string)).toBeGreaterThan(3n * paidAt2);

  const shown = execFileSync(
    'node',
    [
      '--disable-warning=ExperimentalWarning',
      'bin/tollgate.mjs',
      'runs',
      'show',
      'r',
      '-c',
      join(gate.folder, 'tollgate.yaml'),
    ],
    { encoding: 'utf8' },
  );
  expect(shown).toMatch(
    /step 2 caused \$0\.[0-9]+ \(9[0-9]%\): tool:search \$0\.[0-9]+ \([0-9.]+k tokens in 7 calls\) measured/,
  );
});
