import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../domain/fault.ts';
import type { Call } from '../pipeline/exchange.ts';
import { addressOf, isMcpUrl } from '../pipeline/mcp/address.ts';
import type { McpRoom } from '../pipeline/mcp/room.ts';
import { principalIdOf } from '../pipeline/mcp/visit.ts';
import type { Reply } from '../pipeline/reply.ts';
import { type AnswerStream, type Outcome, StreamReply } from './stream-reply.ts';

export interface SseDoorOptions {
  readonly room: McpRoom;
  readonly exchange: (call: Call, reply: Reply) => Promise<void>;
  readonly turnAway: (call: Call, reply: Reply, fault: Fault) => Promise<void>;
  readonly keepAliveMs: number;
  readonly onError: (error: unknown) => void;
}

/** How long a message waits for a refusal before it is called accepted; a later refusal comes as a message. */
const ACCEPT_MS = 100;
const LISTEN_AGAIN_MS = 1_000;
const CONNECT = /^([^?]*\/mcp\/[^/?]+)\/sse(?:\?.*)?$/;
const MESSAGE = /^([^?]*\/mcp\/[^/?]+)\/messages\?connection=([0-9a-f-]{36})$/;

interface Connection {
  readonly principalId: string;
  /** the streamable endpoint behind it */
  readonly url: string;
  readonly stream: AnswerStream;
  session: string | undefined;
  listening: boolean;
}

/** The transport of 2024-11-05 for clients that speak no other: one connection for what comes, POSTs for what goes. */
export class McpSseDoor {
  readonly #options: SseDoorOptions;
  readonly #connections = new Map<string, Connection>();

  constructor(options: SseDoorOptions) {
    this.#options = options;
  }

  serves(url: string): boolean {
    return isMcpUrl(url) && (CONNECT.test(url) || MESSAGE.test(url));
  }

  async exchange(call: Call, reply: Reply): Promise<void> {
    const { arrival } = call;
    const [, endpoint] = CONNECT.exec(arrival.url) ?? [];
    if (endpoint !== undefined) {
      if (arrival.method === 'GET') return this.#connect(call, endpoint, reply);
      return this.#refuse(
        call,
        reply,
        new Fault('TG_METHOD', 'connect here with GET; messages go to the endpoint it names'),
      );
    }
    const [, url = '', id = ''] = MESSAGE.exec(arrival.url) ?? [];
    if (arrival.method === 'POST') return this.#message(call, url, id, reply);
    return this.#refuse(call, reply, new Fault('TG_METHOD', 'messages are sent here with POST'));
  }

  #refuse(call: Call, reply: Reply, fault: Fault): Promise<void> {
    return this.#options.turnAway(call, reply, fault);
  }

  /** Who calls; undefined: the corridor has refused him, in its words and with its receipt. */
  async #caller(call: Call, url: string, reply: Reply): Promise<string | undefined> {
    const { room, exchange } = this.#options;
    const { arrival } = call;
    try {
      room.access.admit(arrival);
      const { endpoint } = addressOf(url, [...room.peers.keys()]);
      return principalIdOf(await room.access.authenticate(arrival, endpoint));
    } catch {
      // a GET without a session begins nothing, should the corridor think otherwise
      await exchange({ arrival: { ...arrival, method: 'GET', url }, body: new Uint8Array(0) }, reply);
      return undefined;
    }
  }

  async #connect(call: Call, url: string, reply: Reply): Promise<void> {
    const principalId = await this.#caller(call, url, reply);
    if (principalId === undefined) return;
    const { room, keepAliveMs, onError } = this.#options;
    const id = randomUUID();
    const over = new AbortController();
    const connection: Connection = {
      principalId,
      url,
      session: undefined,
      listening: false,
      stream: {
        wire: room.wire,
        messageBytes: room.limits.message.bytes,
        gone: over.signal,
        send: (message) => (over.signal.aborted ? undefined : reply.write(room.wire.event(message))),
        opened: (session) => {
          connection.session = session;
        },
        broke: () => reply.cut(),
      },
    };
    this.#connections.set(id, connection);
    reply.head(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
    void reply.write(Buffer.from(`event: endpoint\ndata: ${url}/messages?connection=${id}\n\n`));
    const alive = setInterval(() => void reply.write(room.wire.keepAlive), keepAliveMs);
    try {
      await until(reply.gone);
    } finally {
      clearInterval(alive);
      this.#connections.delete(id);
      over.abort(reply.gone.reason);
      reply.end();
      if (connection.session !== undefined) await this.#inner(call, connection, 'DELETE').catch(onError);
    }
  }

  async #message(call: Call, url: string, id: string, reply: Reply): Promise<void> {
    const principalId = await this.#caller(call, url, reply);
    if (principalId === undefined) return;
    const connection = this.#connections.get(id);
    if (connection?.principalId !== principalId || connection.url !== url)
      return this.#refuse(
        call,
        reply,
        new Fault('TG_UNKNOWN_SESSION', 'this connection is not known here; connect again'),
      );
    const answer = new StreamReply(connection.stream);
    const done = this.#forward(call, connection, 'POST', call.body, answer);
    const early = await Promise.race([answer.outcome, sleep(ACCEPT_MS, undefined), done.then(() => undefined)]);
    if (early && early.status >= 400) {
      reply.head(early.status, { 'content-type': 'application/json' });
      reply.end(Buffer.from(early.body));
    } else {
      answer.accepted();
      reply.head(202, {});
      reply.end();
    }
    await done;
    if ((await answer.outcome).status === 202 && connection.session !== undefined && !connection.listening) {
      connection.listening = true;
      this.#listen(call, connection).catch(this.#options.onError);
    }
  }

  /** What the server says by itself, as long as it lets itself be listened to. */
  async #listen(call: Call, connection: Connection): Promise<void> {
    const { gone } = connection.stream;
    while (!gone.aborted) {
      const { status } = await this.#inner(call, connection, 'GET');
      if (status !== 200) return;
      await sleep(LISTEN_AGAIN_MS, undefined, { ref: false });
    }
  }

  /** Asks on behalf of the connection. Where that breaks off nobody waits for an answer; a session's end is told when its connection is gone. */
  async #inner(call: Call, connection: Connection, method: 'GET' | 'DELETE'): Promise<Outcome> {
    const gone = method === 'DELETE' ? new AbortController().signal : connection.stream.gone;
    const answer = new StreamReply({ ...connection.stream, gone, broke: () => undefined });
    await this.#forward(call, connection, method, new Uint8Array(0), answer);
    return answer.outcome;
  }

  async #forward(
    { arrival }: Call,
    connection: Connection,
    method: string,
    body: Uint8Array,
    answer: StreamReply,
  ): Promise<void> {
    const { 'mcp-session-id': _shown, 'last-event-id': _last, ...headers } = arrival.headers;
    const session = connection.session === undefined ? {} : { 'mcp-session-id': connection.session };
    const accept = method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream';
    const inner = { ...arrival, method, url: connection.url, headers: { ...headers, ...session, accept } };
    try {
      await this.#options.exchange({ arrival: inner, body }, answer);
    } finally {
      answer.finish();
    }
  }
}

function until(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
