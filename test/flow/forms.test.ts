import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import OpenAI, { toFile } from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { startTestGate, type TestGate } from '../support/gate.ts';

let gate: TestGate;
let server: Server;
interface Got {
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}
let received: Got[];

afterEach(async () => {
  await gate.remove();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const POLICY = `policy: tollgate/v1
name: t
default: allow
rules:
  - id: mail
    at: [input, post_model_call, output]
    detect: [pii.email]
    verdict: transform
    transform: [{ redact: pii.email, as: mask }]
`;

async function open(answer: (got: Got, response: ServerResponse) => void, policy?: string): Promise<void> {
  received = [];
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const got = { url: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) };
      received.push(got);
      answer(got, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  gate = await startTestGate({
    upstreams: {
      openai: {
        base_url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        dialects: ['openai-audio', 'openai-images'],
      },
    },
    ...(policy !== undefined && { policy }),
    config: { budgets: [{ scope: 'tenant', window: 'total', limit_usd: 20 }] },
  });
}

const client = (): OpenAI => new OpenAI({ baseURL: `${gate.url}/openai/v1`, apiKey: 'sk-own', maxRetries: 0 });
const reply = (response: ServerResponse, type: string, body: string | Buffer): void => {
  response.writeHead(200, { 'content-type': type });
  response.end(body);
};
/** Every byte there is, line breaks and dashes included. */
const SOUND = Buffer.concat([
  Buffer.from('\r\n--x\r\n\r\n--'),
  Buffer.from(Uint8Array.from({ length: 4000 }, (_, i) => i % 256)),
]);
const form = (got: Got | undefined): Promise<FormData> =>
  new Response(got?.body as unknown as ArrayBuffer, {
    headers: { 'content-type': got?.headers['content-type'] ?? '' },
  }).formData();
const fileIn = async (got: Got | undefined, name: string): Promise<Buffer> =>
  Buffer.from(await ((await form(got)).get(name) as File).arrayBuffer());

describe('a transcription', () => {
  it('is carried byte for byte and charged by the seconds that the reply states', async () => {
    await open((_got, response) =>
      reply(response, 'application/json', JSON.stringify({ text: 'hello', usage: { type: 'duration', seconds: 61 } })),
    );
    const done = await client().audio.transcriptions.create({
      model: 'whisper-1',
      file: await toFile(SOUND, 'a.mp3'),
      prompt: 'names: Jo',
    });
    expect(done.text).toBe('hello');
    expect(received[0]?.url).toBe('/v1/audio/transcriptions');
    expect((await form(received[0])).get('prompt')).toBe('names: Jo');
    expect(await fileIn(received[0], 'file')).toEqual(SOUND);
    const [call] = await gate.sealed(1);
    // 61 s at $0.0001
    expect(call).toMatchObject({ model: 'whisper-1', cost_usd: '0.0061', cost_status: 'exact', ending: 'completed' });
    expect(call?.actions.map(({ point }) => point)).toEqual([
      'agent_startup',
      'input',
      'pre_model_call',
      'post_model_call',
      'output',
    ]);
  });

  it('has its prompt and its text redacted, the file untouched', async () => {
    const text = 'write to jo@example.org';
    const segments = [{ id: 0, start: 0, end: 1, text }];
    await open(
      (_got, response) =>
        reply(
          response,
          'application/json',
          JSON.stringify({
            text,
            segments,
            logprobs: [{ token: 'jo' }],
            usage: {
              type: 'tokens',
              input_tokens: 100,
              output_tokens: 10,
              total_tokens: 110,
              input_token_details: { audio_tokens: 90, text_tokens: 10 },
            },
          }),
        ),
      POLICY,
    );
    const done = await client().audio.transcriptions.create({
      model: 'gpt-4o-transcribe',
      file: await toFile(SOUND, 'a.wav'),
      prompt: 'ask ann@example.org',
    });
    expect(JSON.stringify(done)).not.toContain('jo@example.org');
    expect(JSON.stringify(done)).not.toContain('logprobs');
    const sent = await form(received[0]);
    expect(sent.get('prompt')).toMatch(/^ask /);
    expect(sent.get('prompt')).not.toContain('ann@');
    expect(received[0]?.headers['content-length']).toBe(String(received[0]?.body.length));
    expect(await fileIn(received[0], 'file')).toEqual(SOUND);
    const [call] = await gate.sealed(1);
    // 90 × $6 + 10 × $2.50 + 10 × $10 per million
    expect(call).toMatchObject({ cost_usd: '0.000665', cost_status: 'exact' });
  });

  it('that comes as subtitles is judged, and charged by the length the file can have', async () => {
    await open(
      (_got, response) =>
        reply(response, 'text/plain; charset=utf-8', '1\n00:00:00,000 --> 00:00:01,000\nmail jo@example.org\n'),
      POLICY,
    );
    const done = await client().audio.transcriptions.create({
      model: 'whisper-1',
      file: await toFile(wave(2), 'a.wav'),
      response_format: 'srt',
    });
    expect(done).toMatch(/^1\n00:00:00,000 --> 00:00:01,000\nmail /);
    expect(done).not.toContain('jo@example.org');
    const [call] = await gate.sealed(1);
    // 2 s of samples and the head of the file round up to 3 s
    expect(call).toMatchObject({ cost_usd: '0.0003', ending: 'completed' });
  });

  it('that is streamed is metered from its last event and redacted across events', async () => {
    const events = [
      { type: 'transcript.text.delta', delta: 'mail jo@exa' },
      { type: 'transcript.text.delta', delta: 'mple.org today' },
      {
        type: 'transcript.text.done',
        text: 'mail jo@example.org today',
        usage: {
          type: 'tokens',
          input_tokens: 100,
          output_tokens: 10,
          total_tokens: 110,
          input_token_details: { audio_tokens: 90, text_tokens: 10 },
        },
      },
    ];
    await open(
      (_got, response) =>
        reply(response, 'text/event-stream', events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')),
      POLICY,
    );
    const stream = await client().audio.transcriptions.create({
      model: 'gpt-4o-transcribe',
      file: await toFile(SOUND, 'a.wav'),
      stream: true,
    });
    let text = '';
    let whole = '';
    for await (const event of stream) {
      if (event.type === 'transcript.text.delta') text += event.delta;
      if (event.type === 'transcript.text.done') whole = event.text;
    }
    expect(text).not.toContain('jo@exa');
    expect(text).toMatch(/^mail .* today$/);
    expect(whole).toBe(text);
    const [call] = await gate.sealed(1);
    expect(call).toMatchObject({ cost_usd: '0.000665', stream: true, ending: 'completed' });
  });
});

describe('an image edit', () => {
  it('carries several files and is charged by its usage', async () => {
    const usage = {
      input_tokens: 300,
      output_tokens: 1000,
      total_tokens: 1300,
      input_tokens_details: { text_tokens: 20, image_tokens: 280 },
    };
    await open(
      (_got, response) =>
        reply(response, 'application/json', JSON.stringify({ created: 1, data: [{ b64_json: 'aGk=' }], usage })),
      POLICY,
    );
    const image = [
      await toFile(SOUND, 'a.png', { type: 'image/png' }),
      await toFile(SOUND.subarray(7), 'b.png', { type: 'image/png' }),
    ];
    await client().images.edit({ model: 'gpt-image-1', image, prompt: 'a hat for jo@example.org', n: 1 });
    const sent = await form(received[0]);
    expect(sent.get('prompt')).not.toContain('jo@example.org');
    const files = sent.getAll('image[]') as File[];
    expect(Buffer.from(await (files[0] as File).arrayBuffer())).toEqual(SOUND);
    expect(Buffer.from(await (files[1] as File).arrayBuffer())).toEqual(SOUND.subarray(7));
    const [call] = await gate.sealed(1);
    expect(call).toMatchObject({ model: 'gpt-image-1', ending: 'completed', cost_status: 'exact' });
  });
});

describe('speech', () => {
  it('as bare sound is carried as it comes and charged by its characters', async () => {
    await open((_got, response) => reply(response, 'audio/mpeg', SOUND));
    const sound = await client().audio.speech.create({ model: 'tts-1', voice: 'ash', input: 'x'.repeat(100) });
    expect(Buffer.from(await sound.arrayBuffer())).toEqual(SOUND);
    const [call] = await gate.sealed(1);
    expect(call).toMatchObject({ cost_usd: '0.0015', cost_status: 'exact', ending: 'completed' });
  });

  it('as bare sound of a model that is billed by tokens is charged its hold', async () => {
    await open((_got, response) => reply(response, 'audio/mpeg', SOUND));
    await client().audio.speech.create({ model: 'gpt-4o-mini-tts', voice: 'ash', input: 'say it' });
    const [call] = await gate.sealed(1);
    expect(call?.ending).toBe('completed');
    // 16,384 tokens of sound at $12 per million, and the text
    expect(Number(call?.cost_usd)).toBeGreaterThan(0.196);
  });
});

/** A WAVE file of so many seconds: 8,000 samples of 16 bits. */
function wave(seconds: number): Buffer {
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(8000, 24);
  head.writeUInt32LE(16000, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(seconds * 16000, 40);
  return Buffer.concat([head, Buffer.alloc(seconds * 16000)]);
}
