import { Fault } from '../domain/fault.ts';
import { asString, type Json, member } from '../domain/json.ts';
import type { SocketEnd, SocketMessage } from '../ports/socket.ts';
import type { ClientEvent } from '../ports/socket-language.ts';
import { seal } from './conclude.ts';
import { refuse } from './say.ts';
import type { SocketBook } from './socket-book.ts';
import { judgeContext } from './socket-context.ts';
import { sayingOf } from './socket-cut.ts';
import { type Line, trailOf } from './socket-line.ts';
import { clientMessage } from './socket-message.ts';
import { openCall } from './socket-open.ts';
import { sayError } from './socket-say.ts';
import type { Stop } from './socket-stop.ts';

/** Responses that one socket may have under way: each holds its money and its frames. */
const MOST_OPEN = 32;

/** What a client says on its socket: read, judged, held for, and carried; or refused in words, and the socket stays. */
export class SocketAsking {
  readonly #line: Line;
  readonly #book: SocketBook;
  readonly #client: SocketEnd;
  readonly #upstream: SocketEnd;
  #asked = 0;
  #draining = false;
  #closed = false;
  #busy = false;

  constructor(line: Line, book: SocketBook, client: SocketEnd, upstream: SocketEnd) {
    this.#line = line;
    this.#book = book;
    this.#client = client;
    this.#upstream = upstream;
  }

  /** A message is being judged. */
  get busy(): boolean {
    return this.#busy;
  }

  /** No further call is let in. */
  drain(): void {
    this.#draining = true;
  }

  /** The socket ends: nothing is carried any more. */
  close(): void {
    this.#closed = true;
  }

  /** Takes one message. Never throws for what a client says; `stop` where its key is no longer good. */
  async hear(message: SocketMessage, stop: (stop: Stop) => void): Promise<void> {
    let value: Json = null;
    this.#busy = true;
    try {
      const event = await this.#orSealed(() => {
        const doc = clientMessage(message);
        value = doc.value;
        const heard = this.#line.session.hear(doc, message.bytes.length);
        if (heard.kind === 'call') this.#admit();
        return heard;
      });
      await this.#carry(event, message);
    } catch (error) {
      const saying = sayingOf(this.#line.gate(), error);
      const to = { id: nameIn(value, 'event_id'), lane: nameIn(value, 'stream_id') };
      await sayError(this.#line, this.#client, saying, to);
      if (saying.status === 401) stop({ ending: 'cut', code: 1008, reason: saying.message });
    } finally {
      this.#busy = false;
    }
  }

  /** What is refused before it is anybody's call leaves a receipt like any other refusal. */
  async #orSealed<T>(read: () => T): Promise<T> {
    try {
      return read();
    } catch (error) {
      const gate = this.#line.gate();
      const trail = trailOf(this.#line, gate, this.#line.session.model);
      trail.principal = this.#line.opener.principal;
      refuse(trail, error);
      await seal(gate, trail);
      throw error;
    }
  }

  #admit(): void {
    if (this.#draining) throw new Fault('TG_DRAINING', 'this gate is shutting down; open another socket');
    if (this.#book.open.length >= MOST_OPEN)
      throw new Fault(
        'TG_BAD_REQUEST',
        `this socket has ${MOST_OPEN} responses under way, the most it may have; wait for one to end`,
      );
  }

  async #carry(event: ClientEvent, { bytes }: SocketMessage): Promise<void> {
    const { session } = this.#line;
    if (event.kind === 'plain') {
      await this.#upstream.send(bytes);
      session.carried(event, undefined);
      return;
    }
    if (event.kind === 'context') {
      const { text, reading } = await judgeContext(this.#line, event.body, bytes);
      if (this.#closed) return;
      await this.#upstream.send(text ?? bytes);
      session.carried(event, reading);
      return;
    }
    await this.#ask(event, bytes);
  }

  async #ask(event: Extract<ClientEvent, { kind: 'call' }>, raw: Uint8Array): Promise<void> {
    this.#asked += 1;
    const { body, lane, id: clientId } = event;
    const ordinal = `${this.#line.ownRun}/${this.#asked}`;
    const { call, text, reading } = await openCall(this.#line, { body, raw, lane, clientId, ordinal });
    // the socket ended meanwhile: nothing was carried
    if (this.#closed) return call.refused(undefined, 'client_left');
    try {
      this.#line.session.carried(event, reading);
    } catch (error) {
      await call.refused();
      throw error;
    }
    this.#book.wait(call);
    await this.#upstream.send(text ?? raw);
  }
}

const nameIn = (value: Json, name: string): string | undefined => asString(member(value, name));
