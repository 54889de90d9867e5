import Anthropic from '@anthropic-ai/sdk';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { McpServer } from '@modelcontextprotocol/server';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { eventually } from '../support/eventually.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { type McpFixture, startModernFixture } from '../support/mcp-fixture.ts';
import { startPresidio, type TestPresidio } from '../support/presidio.ts';
import { openRealtime, type RealtimeGate, userItem } from '../support/realtime-gate.ts';
import type { RawClient } from '../support/socket-client.ts';
import { type Event, functionCall, writtenAnswer } from '../support/socket-upstream.ts';
import { json, message, startUpstream } from '../support/upstream.ts';

const cleanup: (() => Promise<unknown>)[] = [];
let presidio: TestPresidio;

beforeEach(async () => {
  presidio = await startPresidio();
  cleanup.push(() => presidio.close());
});

afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

const policy = (...rules: readonly string[]): string =>
  `policy: tollgate/v1\nname: test\ndefault: allow\nrules:\n${rules.map((rule) => `  - ${rule}\n`).join('')}`;
const redact = (id: string, what: string): string =>
  `{ id: ${id}, ${what}, detect: pres.person, verdict: transform, transform: [{ redact: pres.person, as: token }] }`;
const detectors = () => ({
  remote: { pres: { url: presidio.url, shape: 'presidio', timeout_ms: 1_500, breaker: { failures: 50, open_s: 1 } } },
});

describe('on the MCP plane', () => {
  const RULES = policy(
    '{ id: nobody-is-mailed, at: pre_tool_call, tools: send, detect: pres.person, verdict: deny, reason: person_in_mail }',
    redact('no-people', 'at: post_tool_call, tools: lookup'),
  );
  const tool = (server: McpServer, name: string, say: (text: string) => string): void => {
    server.registerTool(name, { description: name, inputSchema: z.object({ text: z.string() }) }, ({ text }) => ({
      content: [{ type: 'text', text: say(text) }],
    }));
  };
  const build = (): McpServer => {
    const server = new McpServer({ name: 'fixture', version: '1' });
    tool(server, 'send', () => 'sent');
    tool(server, 'lookup', (text) => `🙂 ${text}`);
    tool(server, 'echo', (text) => text);
    return server;
  };

  let gate: TestGate;
  let fixture: McpFixture;
  let client: Client;
  beforeEach(async () => {
    fixture = await startModernFixture(build);
    cleanup.push(() => fixture.close());
    const mcp = { servers: { files: { url: fixture.url } }, pins: { mode: 'first-use' } };
    gate = await startTestGate({ upstreams: {}, policy: RULES, config: { detectors: detectors(), mcp } });
    cleanup.push(() => gate.remove());
    client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${gate.url}/mcp/files`)));
    cleanup.push(() => client.close());
  });

  const call = async (name: string, text: string) => {
    const { isError, content } = await client.callTool({ name, arguments: { text } });
    return { isError: isError === true, said: JSON.stringify(content) };
  };
  const carried = (): number => fixture.seen.filter(({ text }) => text.includes('"tools/call"')).length;

  it('arguments and results are asked about before they are judged, and only for tools a rule names', async () => {
    expect(await call('send', 'dear all')).toMatchObject({ isError: false, said: expect.stringContaining('sent') });
    expect(carried()).toBe(1);
    const denied = await call('send', 'dear Anna');
    expect(denied.isError).toBe(true);
    expect(denied.said).toContain('person_in_mail');
    expect(carried()).toBe(1);
    expect(await call('lookup', 'Anna and Bela')).toMatchObject({
      isError: false,
      said: expect.stringContaining('🙂 <PERSON_1> and Bela'),
    });
    expect(presidio.asked).toContain('🙂 Anna and Bela');
    const before = presidio.asked.length;
    expect((await call('echo', 'Anna')).said).toContain('Anna');
    expect(presidio.asked).toHaveLength(before);
    const receipt = await eventually(async () =>
      (await gate.calls()).find(({ actions }) => actions.some(({ rule }) => rule === 'test/no-people')),
    );
    expect(receipt?.actions.find(({ point }) => point === 'post_tool_call')?.findings).toEqual({ 'pres.person': 1 });
  });

  it('a classifier that is dead counts as having found; tools no rule names go on', async () => {
    presidio.mood = (_, response) => response.destroy();
    expect(await call('send', 'dear all')).toMatchObject({
      isError: true,
      said: expect.stringContaining('person_in_mail'),
    });
    expect(carried()).toBe(0);
    const withheld = await call('lookup', 'a quiet day');
    expect(withheld.isError).toBe(true);
    expect(withheld.said).not.toContain('a quiet day');
    expect(await call('echo', 'a quiet day')).toMatchObject({ isError: false });
  });
});

describe('on a socket', () => {
  const RULES = policy(
    redact('no-people', 'at: [input, output]'),
    '{ id: nobody-is-mailed, at: pre_tool_call, tools: send_email, detect: pres, verdict: deny, reason: person_in_mail }',
  );
  const open = async (answers: readonly (readonly Event[])[]): Promise<{ at: RealtimeGate; client: RawClient }> => {
    const at = await openRealtime({ policy: RULES, config: { detectors: detectors() } }, answers);
    cleanup.push(() => at.remove());
    return { at, client: await at.client() };
  };
  const textOf = ({ events }: RawClient): string =>
    events.flatMap((e) => (e.type === 'response.output_text.delta' ? [String(e['delta'])] : [])).join('');

  it('what is said and what is answered is asked about before it is judged', async () => {
    const { at, client } = await open([writtenAnswer('resp_1', ['it is An', 'na, not ', 'Bela'])]);
    client.say(userItem('I am Anna'));
    const heard = JSON.stringify(await at.provider().next('conversation.item.create'));
    expect(heard).toContain('I am <PERSON_1>');
    client.say({ type: 'response.create' });
    const done = JSON.stringify(await client.next('response.done'));
    expect(textOf(client)).toBe('it is <PERSON_1>, not Bela');
    expect(done).toContain('it is <PERSON_1>, not Bela');
    expect(client.heard.join('')).not.toContain('Anna');
    expect(presidio.asked).toEqual(expect.arrayContaining(['I am Anna', 'it is Anna, not Bela']));
  });

  it('a proposed call is asked about before it goes on', async () => {
    const { client } = await open([
      functionCall('resp_1', 'send_email', '{"text":"dear all"}'),
      functionCall('resp_2', 'send_email', '{"text":"dear Anna"}'),
    ]);
    client.say({ type: 'response.create' });
    expect(JSON.stringify(await client.next('response.done'))).toContain('dear all');
    client.say({ type: 'response.create' });
    const denied = JSON.stringify(await client.next('response.done'));
    expect(denied).toContain('person_in_mail');
    expect(client.heard.join('')).not.toContain('dear Anna');
  });

  it('a classifier that is dead counts as having found, in both directions', async () => {
    const { at, client } = await open([writtenAnswer('resp_1', ['a quiet day'])]);
    presidio.mood = (_, response) => response.destroy();
    client.say(userItem('hello'));
    expect(JSON.stringify(await client.next('error'))).toContain('detector_failed');
    client.say({ type: 'response.create' });
    expect(JSON.stringify(await client.next('error'))).toContain('no-people');
    expect(textOf(client)).toBe('');
    expect(at.provider().heard.join('')).not.toContain('hello');
  });

  it('that is left while a question is open has one receipt for its response', async () => {
    const { at, client } = await open([writtenAnswer('resp_1', ['a quiet day'])]);
    presidio.mood = () => {};
    client.say({ type: 'response.create' });
    await eventually(() => presidio.asked.includes('a quiet day'));
    client.socket.close();
    const [call, ...others] = await at.responses(2);
    expect(others).toEqual([]);
    expect(call).toMatchObject({ ending: 'client_left' });
    expect(call?.actions.filter(({ point }) => point === 'post_model_call')).toHaveLength(1);
    await new Promise((r) => setTimeout(r, 500));
    expect(await at.responses(2)).toEqual([call]);
  });
});

describe('in the results of a batch', () => {
  const COUNTS = { processing: 0, succeeded: 2, errored: 0, canceled: 0, expired: 0 };
  const batch = (processing_status: string) => ({
    id: 'msgbatch_1',
    type: 'message_batch',
    processing_status,
    request_counts: COUNTS,
    created_at: '2026-11-22T00:00:00Z',
    expires_at: '2026-11-23T00:00:00Z',
    ended_at: null,
    archived_at: null,
    cancel_initiated_at: null,
    results_url: 'https://api.anthropic.com/v1/messages/batches/msgbatch_1/results',
  });
  const line = (custom_id: string, text: string): string =>
    `${JSON.stringify({
      custom_id,
      result: {
        type: 'succeeded',
        message: message([{ type: 'text', text }], { input_tokens: 9, output_tokens: 5 } as never, 'claude-haiku-4-5'),
      },
    })}\n`;
  const requests = ['a', 'b'].map((custom_id) => ({
    custom_id,
    params: {
      model: 'claude-haiku-4-5',
      max_tokens: 100,
      messages: [{ role: 'user' as const, content: `${custom_id}: Anna?` }],
    },
  }));

  const open = async () => {
    const upstream = await startUpstream((request, response) => {
      if (!request.url.endsWith('/results'))
        return json(response, 200, batch(request.method === 'POST' ? 'in_progress' : 'ended'));
      response.writeHead(200, { 'content-type': 'application/x-jsonl' });
      response.end(line('a', 'it is Anna') + line('b', 'it is nobody'));
    });
    cleanup.push(() => upstream.close());
    const gate = await startTestGate({
      policy: policy(redact('no-people', 'at: [input, output]')),
      upstreams: { anthropic: { base_url: upstream.url, dialects: ['anthropic-messages'] } },
      config: { detectors: detectors() },
    });
    cleanup.push(() => gate.remove());
    const { batches } = new Anthropic({
      baseURL: `${gate.url}/run/r/anthropic`,
      apiKey: 'sk-own',
      maxRetries: 0,
    }).messages;
    return { upstream, batches };
  };

  it('each request and each line is asked about before it is judged', async () => {
    const { upstream, batches } = await open();
    await batches.create({ requests });
    expect(upstream.received[0]?.text).toContain('a: <PERSON_1>?');
    expect(upstream.received[0]?.text).not.toContain('Anna');
    const seen: string[] = [];
    for await (const one of await batches.results('msgbatch_1')) seen.push(JSON.stringify(one));
    expect(seen).toEqual([expect.stringContaining('it is <PERSON_1>'), expect.stringContaining('it is nobody')]);
    expect(presidio.asked).toEqual(expect.arrayContaining(['a: Anna?', 'b: Anna?', 'it is Anna', 'it is nobody']));
  });

  it('a classifier that is dead counts as having found: each line leaves an error in its place', async () => {
    const { batches } = await open();
    await batches.create({ requests });
    presidio.mood = (_, response) => response.destroy();
    const seen: string[] = [];
    for await (const one of await batches.results('msgbatch_1')) seen.push(JSON.stringify(one));
    expect(seen).toHaveLength(2);
    for (const one of seen) expect(one).toMatch(/"type":"errored".*no-people/);
    expect(seen.join('')).not.toContain('it is');
  });
});
