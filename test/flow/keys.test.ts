import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { completion, json, message, startUpstream, type TestUpstream } from '../support/upstream.ts';

const run = promisify(execFile);
const ASK = { model: 'gpt-4o-mini', messages: [{ role: 'user' as const, content: 'x' }] };
const CLAUDE = { model: 'claude-sonnet-4-5', max_tokens: 50, messages: [{ role: 'user' as const, content: 'x' }] };

let gate: TestGate;
let upstream: TestUpstream;

/** The command line, as a person calls it beside the running gate. */
async function tollgate(...args: string[]): Promise<string> {
  const bin = join(import.meta.dirname, '../../bin/tollgate.mjs');
  const { stdout } = await run(process.execPath, [bin, ...args, '--config', join(gate.folder, 'tollgate.yaml')]);
  return stdout.trim();
}

beforeEach(async () => {
  upstream = await startUpstream((request, response) =>
    json(
      response,
      200,
      request.url.endsWith('messages') ? message([{ type: 'text', text: 'hi' }]) : completion({ content: 'hi' }),
    ),
  );
  gate = await startTestGate({
    upstreams: {
      openai: { base_url: upstream.url, dialects: ['openai-chat'], credential: { bearer: 'sk-of-the-gate' } },
      anthropic: {
        base_url: upstream.url,
        dialects: ['anthropic-messages'],
        credential: { header: 'x-api-key', value: 'ant-of-the-gate' },
      },
    },
    config: {
      access: 'keys',
      budgets: [{ scope: 'tag', match: 'team=red', window: 'hour', limit_requests: 1 }],
    },
  });
});

afterEach(async () => {
  await gate.remove();
  await upstream.close();
});

describe('access with gateway keys', () => {
  it('refuses a caller without one, and one that is unknown, in its own tongue', async () => {
    const openai = (apiKey: string) => new OpenAI({ baseURL: `${gate.url}/openai/v1`, apiKey });
    await expect(openai('sk-own').chat.completions.create(ASK)).rejects.toMatchObject({
      status: 401,
      code: 'TG_NO_KEY',
    });
    await expect(openai('tg_wrong').chat.completions.create(ASK)).rejects.toMatchObject({
      status: 401,
      code: 'TG_BAD_KEY',
    });
    const claude = new Anthropic({ baseURL: `${gate.url}/anthropic`, apiKey: 'sk-ant-own' });
    await expect(claude.messages.create(CLAUDE)).rejects.toBeInstanceOf(Anthropic.AuthenticationError);
    expect(upstream.received).toEqual([]);
  });

  it('swaps a key for the provider’s, attributes the call, and forgets a revoked one at once', async () => {
    const made = JSON.parse(
      await tollgate('keys', 'create', '--agent', 'support', '--human', 'ada@acme.test', '--tenant', 'acme', '--json'),
    ) as { key: string; id: string };
    expect(made.key).toMatch(/^tg_[A-Za-z0-9_-]{43}$/);
    const openai = new OpenAI({ baseURL: `${gate.url}/openai/v1`, apiKey: made.key });
    const claude = new Anthropic({ baseURL: `${gate.url}/anthropic`, apiKey: made.key });
    await openai.chat.completions.create(ASK);
    await claude.messages.create(CLAUDE);
    expect(upstream.received[0]?.headers.authorization).toBe('Bearer sk-of-the-gate');
    expect(upstream.received[1]?.headers['x-api-key']).toBe('ant-of-the-gate');
    for (const { headers } of upstream.received) expect(JSON.stringify(headers)).not.toContain('tg_');
    const calls = await gate.sealed(2);
    for (const call of calls) expect(call).toMatchObject({ tenant: 'acme', human: 'ada@acme.test', agent: 'support' });
    expect(JSON.stringify(calls)).not.toContain(made.key);

    expect(await tollgate('keys', 'list')).toContain('active');
    expect(await tollgate('keys', 'list')).not.toContain(made.key);
    await tollgate('keys', 'revoke', made.id);
    await expect(openai.chat.completions.create(ASK)).rejects.toMatchObject({ status: 401, code: 'TG_BAD_KEY' });
  });

  it('books the calls of a key under its tags, whatever the caller says of the same names', async () => {
    const create = async (...tags: string[]): Promise<string> =>
      (JSON.parse(await tollgate('keys', 'create', '--agent', 'bot', '--json', ...tags)) as { key: string }).key;
    const ask = (apiKey: string, said?: string): Promise<unknown> =>
      new OpenAI({
        baseURL: `${gate.url}/openai/v1`,
        apiKey,
        maxRetries: 0,
        defaultHeaders: said === undefined ? {} : { 'x-tollgate-tags': said },
      }).chat.completions.create(ASK);
    const [red, plain] = await Promise.all([
      create('--tag', 'team=red', '--tag', 'pilot', '--tag', 'pilot'),
      create('--tag', 'team=blue'),
    ]);
    await ask(red, 'team=blue,feature=search');
    await expect(ask(red, 'team=blue')).rejects.toMatchObject({ status: 429, code: 'TG_RATE_LIMITED' });
    await ask(plain, 'team=red');
    expect(await tollgate('keys', 'list')).toContain('team=red,pilot');
  });

  it('says what a tag may be', async () => {
    const refused = (...tags: string[]): Promise<unknown> =>
      tollgate('keys', 'create', '--agent', 'bot', ...tags.flatMap((tag) => ['--tag', tag])).then(
        () => 'made',
        (error: { stderr: string }) => error.stderr,
      );
    const nine = Array.from({ length: 9 }, (_, n) => `t${n}`);
    const [spaced, many] = await Promise.all([refused('a b'), refused(...nine)]);
    expect(spaced).toContain('--tag `a b` may hold letters');
    expect(many).toContain('a key has at most 8 tags');
  });

  it('keeps two keys with the same run id apart', async () => {
    const keys = await Promise.all(
      ['a', 'b'].map(
        async (agent) =>
          (JSON.parse(await tollgate('keys', 'create', '--agent', agent, '--json')) as { key: string }).key,
      ),
    );
    for (const apiKey of keys)
      await new OpenAI({ baseURL: `${gate.url}/run/same/openai/v1`, apiKey }).chat.completions.create(ASK);
    const calls = await gate.sealed(2);
    expect(calls.map((c) => [c.agent, c.run, c.step])).toEqual([
      ['a', 'same', 1],
      ['b', 'same', 1],
    ]);
  });
});
