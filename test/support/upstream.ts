import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  /** the body, parsed; undefined where there is none */
  readonly body: Record<string, unknown> | undefined;
}

export interface TestUpstream {
  readonly url: string;
  readonly received: Received[];
  close(): Promise<void>;
}

/** An upstream whose every answer the test writes by hand. */
export async function startUpstream(
  answer: (request: Received, response: ServerResponse) => void | Promise<void>,
): Promise<TestUpstream> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const seen: Received = {
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        text,
        body: text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>),
      };
      received.push(seen);
      void answer(seen, response);
    });
    request.on('error', () => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

/** Sends pieces as a server-sent stream; one write each. */
export function sse(response: ServerResponse, pieces: readonly string[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const piece of pieces) response.write(piece);
  response.end();
}

/** A chat completion as the OpenAI API answers it. */
export function completion(
  message: Record<string, unknown>,
  usage = { prompt_tokens: 20, completion_tokens: 10, total_tokens: 30 },
  model = 'gpt-4o-mini',
) {
  const finish = 'tool_calls' in message ? 'tool_calls' : 'stop';
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model,
    choices: [
      { index: 0, message: { role: 'assistant', content: null, ...message }, finish_reason: finish, logprobs: null },
    ],
    usage,
  };
}

/** A message as the Anthropic API answers it. */
export function message(
  content: readonly unknown[],
  usage = { input_tokens: 20, output_tokens: 10 },
  model = 'claude-sonnet-4-5-20250929',
) {
  const tools = content.some((block) => (block as { type: string }).type === 'tool_use');
  return {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model,
    content,
    stop_reason: tools ? 'tool_use' : 'end_turn',
    stop_sequence: null,
    usage,
  };
}
