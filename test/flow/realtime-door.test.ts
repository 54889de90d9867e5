import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { keyHash } from '../../gateway/identity/api-key.ts';
import { openKeys } from '../../gateway/stores/embedded/open-embedded.ts';
import { systemClock } from '../../gateway/telemetry/clock.ts';
import { openRealtime, type RealtimeGate, userItem } from '../support/realtime-gate.ts';
import { openClient } from '../support/socket-client.ts';
import { responseCreated, writtenAnswer } from '../support/socket-upstream.ts';

let at: RealtimeGate;

afterEach(() => at.remove());

const CREATE = { type: 'response.create' };

/** What a connection answers to some bytes. */
function rawAnswer(head: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(Number(new URL(at.gate.url).port), '127.0.0.1', () => socket.write(head));
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}

const handshake = (path: string, more: Record<string, string> = {}): string =>
  `${[
    `GET ${path} HTTP/1.1`,
    'host: gate',
    ...Object.entries({
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-version': '13',
      ...more,
    }).map(([name, value]) => `${name}: ${value}`),
  ].join('\r\n')}\r\n\r\n`;

describe('who may open a socket', () => {
  const keys = { access: 'keys' };
  const credential = { bearer: 'sk-the-house' };

  async function key(agent = 'bot'): Promise<string> {
    const secret = `tg_${agent}_0123456789abcdef`;
    const desk = openKeys(join(at.gate.folder, 'data', 'tollgate.db'));
    await desk.keys.add(keyHash(secret), { id: `k_${agent}`, tenant: 'acme', agent, createdAt: systemClock().now() });
    desk.close();
    return secret;
  }

  it('a gateway key opens one, and the provider sees the credential of the house', async () => {
    at = await openRealtime({ config: keys, credential }, [writtenAnswer('resp_1', ['ok'])]);
    const secret = await key();
    const client = await at.client('r', {
      authorization: `Bearer ${secret}`,
      'x-tollgate-agent': 'bot',
      origin: 'https://app.example',
    });
    client.say(CREATE);
    await client.next('response.done');
    const { headers, url } = at.provider().request;
    expect(headers).toMatchObject({ authorization: 'Bearer sk-the-house', origin: 'https://app.example' });
    expect(Object.keys(headers).filter((name) => name.startsWith('x-tollgate'))).toEqual([]);
    expect(url).toBe('/v1/realtime?model=gpt-realtime');
    expect(JSON.stringify(headers)).not.toContain(secret);
    client.socket.close();
    const [call] = await at.responses(2);
    expect(call).toMatchObject({ agent: 'bot', tenant: 'acme' });
  });

  it('a browser puts it into a subprotocol: it is taken from there and does not travel on', async () => {
    at = await openRealtime({ config: keys, credential });
    const secret = await key();
    const client = await openClient(
      `${at.gate.url}/openai/v1/realtime?model=gpt-realtime`,
      { 'x-tollgate-run': 'mine' },
      ['realtime', `openai-insecure-api-key.${secret}`, 'openai-organization.org_1'],
    );
    expect(client.socket.protocol).toBe('realtime');
    const { headers } = at.provider().request;
    expect(headers['sec-websocket-protocol']).toBe('realtime,openai-organization.org_1');
    expect(headers['authorization']).toBe('Bearer sk-the-house');
    client.socket.close();
    const [socket] = await at.gate.sealed(1);
    expect(socket).toMatchObject({ status: 101, ending: 'completed', run: 'mine', cost_usd: '0' });
  });

  it("with open access a caller's own credential passes, from a subprotocol too", async () => {
    at = await openRealtime();
    await openClient(`${at.gate.url}/openai/v1/realtime?model=gpt-realtime`, {}, [
      'realtime',
      'openai-insecure-api-key.sk-mine',
    ]);
    expect(at.provider().request.headers['authorization']).toBe('Bearer sk-mine');
  });

  it.each([
    ['no key', {}, 'TG_NO_KEY'],
    ['an unknown key', { authorization: 'Bearer tg_unknown' }, 'TG_BAD_KEY'],
  ])('%s is 401 in the error form of the language', async (_, headers, code) => {
    at = await openRealtime({ config: keys, credential });
    await expect(openClient(`${at.gate.url}/openai/v1/realtime?model=gpt-realtime`, headers)).rejects.toMatchObject({
      status: 401,
      body: { error: { code, type: code.replace('TG_', 'tollgate_').toLowerCase() } },
    });
    expect(at.upstream.sockets).toHaveLength(0);
    expect((await at.gate.sealed(1))[0]).toMatchObject({ status: 401, ending: 'refused', fault: code });
  });

  it('a key that is revoked meanwhile ends the socket at the next request', async () => {
    at = await openRealtime({ config: keys, credential }, [writtenAnswer('resp_1', ['ok'])]);
    const secret = await key();
    const client = await at.client('r', { authorization: `Bearer ${secret}` });
    client.say(CREATE);
    await client.next('response.done');
    const desk = openKeys(join(at.gate.folder, 'data', 'tollgate.db'));
    await desk.keys.revoke('k_bot', systemClock().now());
    desk.close();
    client.say(CREATE);
    expect((await client.next('error')).error).toMatchObject({ code: 'TG_BAD_KEY' });
    expect(await client.closed).toMatchObject({ code: 1008 });
    expect(at.provider().heard).toHaveLength(1);
  });
});

describe('what is no socket here', () => {
  it.each([
    ['/nobody/v1/realtime?model=m', 404, 'TG_UNKNOWN_ROUTE'],
    ['/openai/v1/chat/completions', 501, 'TG_UPGRADE_REFUSED'],
    ['/openai/v1/realtime/translations', 501, 'TG_UPGRADE_REFUSED'],
    ['/openai/v1/realtime', 400, 'TG_BAD_REQUEST'],
    ['/openai/v1/realtime?intent=transcription', 400, 'TG_BAD_REQUEST'],
    ['/openai/v1/realtime?model=a&model=b', 400, 'TG_BAD_REQUEST'],
    ['/openai/v1/realtime?model=a&call_id=rtc_1', 400, 'TG_BAD_REQUEST'],
  ])('%s is %i', async (path, status, code) => {
    at = await openRealtime();
    await expect(openClient(at.gate.url + path)).rejects.toMatchObject({ status, body: { error: { code } } });
    expect(at.upstream.sockets).toHaveLength(0);
    expect((await at.gate.sealed(1))[0]).toMatchObject({ fault: code, ending: 'refused' });
  });

  it('a plain GET is 426', async () => {
    at = await openRealtime();
    const response = await fetch(`${at.gate.url}/openai/v1/realtime?model=gpt-realtime`);
    expect(response.status).toBe(426);
    expect(await response.json()).toMatchObject({ error: { code: 'TG_UPGRADE_REQUIRED' } });
  });

  it('another protocol is 501, another version 426, a bad key 400', async () => {
    at = await openRealtime();
    const path = '/openai/v1/realtime?model=gpt-realtime';
    expect(await rawAnswer(handshake(path, { upgrade: 'h2c' }))).toMatch(/^HTTP\/1.1 501 .*TG_UPGRADE_REFUSED/s);
    expect(await rawAnswer(handshake(path, { 'sec-websocket-version': '8' }))).toMatch(
      /^HTTP\/1.1 426 .*sec-websocket-version: 13\r\n.*TG_UPGRADE_REQUIRED/s,
    );
    expect(await rawAnswer(handshake(path, { 'sec-websocket-key': 'x' }))).toMatch(/^HTTP\/1.1 400 .*TG_BAD_REQUEST/s);
    expect(await rawAnswer(handshake(path, { 'sec-websocket-protocol': 'a, a' }))).toMatch(
      /^HTTP\/1.1 400 .*TG_BAD_REQUEST/s,
    );
  });

  it("a provider's refusal passes as it is and costs nothing", async () => {
    at = await openRealtime({
      refuse: () => ({ status: 401, body: { error: { code: 'invalid_api_key', message: 'no', type: 'x' } } }),
    });
    await expect(at.client()).rejects.toMatchObject({
      status: 401,
      headers: { 'x-request-id': 'req_1' },
      body: { error: { code: 'invalid_api_key' } },
    });
    expect((await at.gate.sealed(1))[0]).toMatchObject({ status: 401, ending: 'upstream_error', cost_usd: '0' });
  });

  it('a provider that is not there is 502', async () => {
    at = await openRealtime();
    await at.upstream.close();
    await expect(at.client()).rejects.toMatchObject({
      status: 502,
      body: { error: { code: 'TG_UPSTREAM_UNREACHABLE' } },
    });
  });
});

describe('the handshake', () => {
  it('names call and run, and compresses nothing, whatever is offered', async () => {
    at = await openRealtime();
    const url = `${at.gate.url.replace('http', 'ws')}/run/mine/openai/v1/realtime?model=gpt-realtime`;
    const socket = new WebSocket(url, { perMessageDeflate: true });
    const opened = new Promise((resolve) => socket.on('open', resolve));
    const headers = await new Promise<Record<string, unknown>>((resolve) =>
      socket.on('upgrade', (response) => resolve(response.headers)),
    );
    await opened;
    expect(headers).toMatchObject({ 'x-tollgate-run': 'mine', 'x-tollgate-call': expect.stringMatching(/^call_/) });
    expect(headers['sec-websocket-extensions']).toBeUndefined();
    expect(at.provider().request.headers['sec-websocket-extensions']).toBeUndefined();
    const pong = new Promise((resolve) => socket.on('pong', resolve));
    socket.ping();
    await pong;
    socket.terminate();
  });
});

describe('a provider that does not read', () => {
  it('slows the caller down: the gate holds little of what is said', async () => {
    at = await openRealtime({ onOpen: (provider) => provider.socket.pause() });
    const client = await at.client();
    const append = { type: 'input_audio_buffer.append', audio: 'A'.repeat(200_000) };
    for (let i = 0; i < 100; i += 1) client.say(append);
    await new Promise((r) => setTimeout(r, 500));
    expect(client.socket.bufferedAmount).toBeGreaterThan(5_000_000);
    at.provider().socket.resume();
    await expect.poll(() => at.provider().heard.length).toBe(100);
  });
});

describe('what does not belong on a socket', () => {
  it.each([
    ['no JSON', 'hello'],
    ['a name twice', '{"type":"input_audio_buffer.append","type":"response.create"}'],
    ['a list', '[]'],
    ['half a character', '{"type":"session.update","session":{"instructions":"\\ud800"}}'],
    ['an event that nobody knows', '{"type":"response.compose"}'],
    ['another model', '{"type":"session.update","session":{"model":"gpt-5"}}'],
    ['a transcription session', '{"type":"session.update","session":{"type":"transcription"}}'],
    ['no item', '{"type":"conversation.item.create"}'],
    ['a cap that is none', '{"type":"response.create","response":{"max_output_tokens":"lots"}}'],
    ['binary', new Uint8Array([1, 2, 3])],
  ])('%s is refused in words, is not carried, and the socket stays', async (_, message) => {
    at = await openRealtime({}, [writtenAnswer('resp_1', ['ok'])]);
    const client = await at.client();
    client.say(message);
    expect((await client.next('error')).error).toMatchObject({ code: 'TG_BAD_REQUEST' });
    client.say(CREATE);
    await client.next('response.done');
    expect(at.provider().heard).toEqual([JSON.stringify(CREATE)]);
    client.socket.close();
    expect((await at.responses(3))[0]).toMatchObject({ ending: 'refused', fault: 'TG_BAD_REQUEST', cost_usd: '0' });
  });

  it('a message beyond the limit closes the socket with 1009', async () => {
    at = await openRealtime({ config: { limits: { shutdown_s: 0, request_mb: 0.01 } } });
    const client = await at.client();
    client.say({ type: 'input_audio_buffer.append', audio: 'A'.repeat(20_000) });
    expect(await client.closed).toMatchObject({ code: 1009 });
    await expect.poll(() => at.provider().closed).toBeDefined();
    expect(at.provider().heard).toEqual([]);
  });

  it.each([
    ['garbage', 'not json'],
    ['binary', new Uint8Array([1, 2, 3])],
    ['a list', '[1]'],
  ])('%s of a provider ends it: what cannot be read cannot be metered', async (_, message) => {
    at = await openRealtime({}, [[responseCreated('resp_1')]]);
    const client = await at.client();
    client.say(CREATE);
    await client.next('response.created');
    at.provider().say(message);
    expect((await client.next('error')).error).toMatchObject({ code: 'TG_UPSTREAM_UNREADABLE' });
    expect(await client.closed).toMatchObject({ code: 1011 });
    expect((await at.responses(2))[0]).toMatchObject({ ending: 'upstream_broke' });
  });

  it('more responses at once than a socket may have are refused', async () => {
    at = await openRealtime();
    const client = await at.client();
    for (let i = 0; i < 33; i += 1) client.say({ type: 'response.create', event_id: `e${i}` });
    expect((await client.next('error')).error).toMatchObject({ code: 'TG_BAD_REQUEST', event_id: 'e32' });
    expect(at.provider().heard).toHaveLength(32);
  });

  it('what the provider does when it says goodbye, the caller hears', async () => {
    at = await openRealtime();
    const client = await at.client();
    await client.next('session.created');
    at.provider().socket.close(1001, 'session expired');
    expect(await client.closed).toMatchObject({ code: 1001, reason: 'session expired' });
  });

  it('and the other way round', async () => {
    at = await openRealtime();
    const client = await at.client();
    client.say(userItem('hi'));
    await at.provider().next('conversation.item.create');
    client.socket.close(4001, 'enough');
    await expect.poll(() => at.provider().closed).toBeDefined();
    const [socket] = await at.gate.sealed(1);
    // what was judged and no response read is named by the socket's own receipt
    expect(socket?.actions.map(({ point }) => point)).toEqual(['input', 'pre_model_call']);
  });
});
