import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

export type Event = Record<string, unknown> & { type: string };

/** One connection as the simulated provider sees it. */
export interface ProviderSocket {
  readonly request: IncomingMessage;
  readonly socket: WebSocket;
  /** text of every message, in order */
  readonly heard: string[];
  /** how it was closed, once it was */
  closed: { code: number; reason: string } | undefined;
  /** resolves with the next message of that type */
  next(type: string): Promise<Event>;
  say(event: Event | string | Uint8Array): void;
}

export interface SocketUpstream {
  readonly url: string;
  readonly sockets: ProviderSocket[];
  close(): Promise<void>;
}

export interface SocketScript {
  readonly onOpen?: (provider: ProviderSocket) => void;
  readonly onEvent?: (provider: ProviderSocket, event: Event) => void;
  /** answers the handshake with this instead */
  readonly refuse?: (request: IncomingMessage) => { status: number; body: unknown } | undefined;
  /** subprotocol it picks */
  readonly protocol?: (offered: Set<string>) => string | false;
}

/** A provider of WebSockets whose every word the test writes by hand. */
export async function startSocketUpstream(script: SocketScript): Promise<SocketUpstream> {
  const sockets: ProviderSocket[] = [];
  const connections = new Set<Socket>();
  const server = createServer((_request, response) => {
    response.writeHead(404).end();
  });
  const door = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => script.protocol?.(offered) ?? (offered.has('realtime') ? 'realtime' : false),
  });
  server.on('connection', (socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
  });
  server.on('upgrade', (request, socket, head) => {
    const refusal = script.refuse?.(request);
    if (refusal) {
      const body = JSON.stringify(refusal.body);
      socket.end(
        `HTTP/1.1 ${refusal.status} No\r\ncontent-type: application/json\r\nx-request-id: req_1\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
      return;
    }
    door.handleUpgrade(request, socket, head, (opened) => {
      const provider = providerSocket(request, opened, script);
      sockets.push(provider);
      script.onOpen?.(provider);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sockets,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const connection of connections) connection.destroy();
      }),
  };
}

function providerSocket(request: IncomingMessage, socket: WebSocket, script: SocketScript): ProviderSocket {
  const waiting: { type: string; resolve: (event: Event) => void }[] = [];
  const unread: Event[] = [];
  const provider: ProviderSocket = {
    request,
    socket,
    heard: [],
    closed: undefined,
    next: (type) =>
      new Promise((resolve) => {
        const at = unread.findIndex((event) => event.type === type);
        if (at === -1) waiting.push({ type, resolve });
        else resolve(unread.splice(at, 1)[0] as Event);
      }),
    say(event) {
      if (typeof event === 'string' || event instanceof Uint8Array) socket.send(event);
      else socket.send(JSON.stringify(event));
    },
  };
  socket.on('message', (data: Buffer) => {
    const text = data.toString();
    provider.heard.push(text);
    const event = JSON.parse(text) as Event;
    const at = waiting.findIndex(({ type }) => type === event.type);
    if (at === -1) unread.push(event);
    else waiting.splice(at, 1)[0]?.resolve(event);
    script.onEvent?.(provider, event);
  });
  socket.on('close', (code, reason) => {
    provider.closed = { code, reason: reason.toString() };
  });
  socket.on('error', () => undefined);
  return provider;
}

const session = (model: string) => ({
  type: 'realtime',
  object: 'realtime.session',
  id: 'sess_1',
  model,
  output_modalities: ['audio'],
  instructions: 'be kind',
  tools: [],
  max_output_tokens: 'inf',
});

export const sessionCreated = (model = 'gpt-realtime'): Event => ({
  type: 'session.created',
  event_id: 'event_s1',
  session: session(model),
});

export const REALTIME_USAGE = {
  total_tokens: 253,
  input_tokens: 132,
  output_tokens: 121,
  input_token_details: {
    text_tokens: 119,
    audio_tokens: 13,
    image_tokens: 0,
    cached_tokens: 64,
    cached_tokens_details: { text_tokens: 64, audio_tokens: 0, image_tokens: 0 },
  },
  output_token_details: { text_tokens: 30, audio_tokens: 91 },
};

/** What those tokens cost on gpt-realtime: 55 text, 64 cached, 13 audio in; 30 text, 91 audio out. */
export const REALTIME_COST = (55 * 4 + 64 * 0.4 + 13 * 32 + 30 * 16 + 91 * 64) / 1e6;

let ids = 0;

function eventId(): string {
  ids += 1;
  return `event_${ids}`;
}

const answered = (id: string, item: Record<string, unknown>, usage: unknown, status = 'completed'): Event => ({
  type: 'response.done',
  event_id: eventId(),
  response: {
    object: 'realtime.response',
    id,
    status,
    status_details: null,
    output: [item],
    conversation_id: 'conv_1',
    usage,
  },
});

export const responseCreated = (id: string): Event => ({
  type: 'response.created',
  event_id: eventId(),
  response: {
    object: 'realtime.response',
    id,
    status: 'in_progress',
    output: [],
    conversation_id: 'conv_1',
    usage: null,
  },
});

/** The events of a spoken answer: sound and its words. */
export function spokenAnswer(id: string, words: readonly string[], usage: unknown = REALTIME_USAGE): Event[] {
  const item_id = `item_${id}`;
  const at = { response_id: id, item_id, output_index: 0, content_index: 0 };
  const empty = {
    id: item_id,
    object: 'realtime.item',
    type: 'message',
    status: 'in_progress',
    role: 'assistant',
    content: [],
  };
  const transcript = words.join('');
  const item = { ...empty, status: 'completed', content: [{ type: 'output_audio', transcript }] };
  return [
    responseCreated(id),
    { type: 'response.output_item.added', event_id: eventId(), response_id: id, output_index: 0, item: empty },
    { type: 'conversation.item.added', event_id: eventId(), previous_item_id: null, item: empty },
    { type: 'response.content_part.added', event_id: eventId(), ...at, part: { type: 'audio', transcript: '' } },
    ...words.flatMap((delta) => [
      { type: 'response.output_audio_transcript.delta', event_id: eventId(), ...at, delta },
      {
        type: 'response.output_audio.delta',
        event_id: eventId(),
        ...at,
        delta: Buffer.alloc(600, delta).toString('base64'),
      },
    ]),
    { type: 'response.output_audio.done', event_id: eventId(), ...at },
    { type: 'response.output_audio_transcript.done', event_id: eventId(), ...at, transcript },
    { type: 'response.content_part.done', event_id: eventId(), ...at, part: { type: 'audio', transcript } },
    { type: 'response.output_item.done', event_id: eventId(), response_id: id, output_index: 0, item },
    { type: 'conversation.item.done', event_id: eventId(), previous_item_id: null, item },
    answered(id, item, usage),
    { type: 'rate_limits.updated', event_id: eventId(), rate_limits: [] },
  ];
}

/** The events of an answer in text. */
export function writtenAnswer(id: string, words: readonly string[], usage: unknown = REALTIME_USAGE): Event[] {
  return spokenAnswer(id, words, usage)
    .filter(({ type }) => !type.startsWith('response.output_audio.'))
    .map((event) => {
      const text = JSON.stringify(event)
        .replace('response.output_audio_transcript', 'response.output_text')
        .replaceAll('"output_audio"', '"output_text"')
        .replaceAll('"type":"audio"', '"type":"text"')
        .replaceAll('"transcript"', '"text"');
      return JSON.parse(text) as Event;
    });
}

/** The events of an answer that calls a function; its arguments come in pieces. */
export function functionCall(id: string, name: string, args: string, usage: unknown = REALTIME_USAGE): Event[] {
  const item_id = `item_${id}`;
  const at = { response_id: id, item_id, output_index: 0, call_id: `call_${id}abcdef` };
  const empty = {
    id: item_id,
    object: 'realtime.item',
    type: 'function_call',
    status: 'in_progress',
    name,
    call_id: at.call_id,
    arguments: '',
  };
  const item = { ...empty, status: 'completed', arguments: args };
  const half = Math.ceil(args.length / 2);
  return [
    responseCreated(id),
    { type: 'response.output_item.added', event_id: eventId(), response_id: id, output_index: 0, item: empty },
    { type: 'conversation.item.added', event_id: eventId(), previous_item_id: null, item: empty },
    ...[args.slice(0, half), args.slice(half)].map((delta) => ({
      type: 'response.function_call_arguments.delta',
      event_id: eventId(),
      ...at,
      delta,
    })),
    { type: 'response.function_call_arguments.done', event_id: eventId(), ...at, name, arguments: args },
    { type: 'response.output_item.done', event_id: eventId(), response_id: id, output_index: 0, item },
    { type: 'conversation.item.done', event_id: eventId(), previous_item_id: null, item },
    answered(id, item, usage),
  ];
}
