import { Fault } from '../domain/fault.ts';
import type { JsonObject } from '../domain/json.ts';
import type { Ending } from '../domain/receipt.ts';
import type { Saying } from '../ports/dialect.ts';
import type { SocketEnd, SocketEnding, SocketMessage } from '../ports/socket.ts';
import type { ServerEvent } from '../ports/socket-language.ts';
import { SocketAsking } from './socket-asking.ts';
import { SocketBook } from './socket-book.ts';
import type { SocketCall } from './socket-call.ts';
import { sayingOf } from './socket-cut.ts';
import type { Line } from './socket-line.ts';
import { providerMessage } from './socket-message.ts';
import { openUnasked } from './socket-open.ts';
import { sayError } from './socket-say.ts';
import { chargeSide } from './socket-side.ts';
import { GOING, type Stop } from './socket-stop.ts';

/** Stands between messages that take one message's place (ports/socket-language.ts). */
const SEPARATOR = 0x1e;

/** Carries the messages of one socket both ways, each in order; a side that does not read slows the other down. */
export class SocketRelay {
  readonly #line: Line;
  readonly #client: SocketEnd;
  readonly #upstream: SocketEnd;
  readonly #book = new SocketBook();
  readonly #asking: SocketAsking;
  readonly #sealing = new Set<Promise<void>>();
  #stopped: Stop | undefined;
  #ending: Promise<unknown> = Promise.resolve();
  #draining = false;

  constructor(line: Line, client: SocketEnd, upstream: SocketEnd) {
    this.#line = line;
    this.#client = client;
    this.#upstream = upstream;
    this.#asking = new SocketAsking(line, this.#book, client, upstream);
  }

  /** Until both sides are closed and every call is sealed. Never throws for what a side does. */
  async run(): Promise<Stop> {
    const pumps = [this.#pump(this.#client, 'client'), this.#pump(this.#upstream, 'provider')];
    await Promise.all(pumps);
    await this.#ending;
    await Promise.all(this.#sealing);
    return this.#stopped ?? { ending: 'completed', code: 1000, reason: '' };
  }

  /** Takes no further call and says goodbye once none is under way. */
  drain(): void {
    this.#draining = true;
    this.#asking.drain();
    this.#goIfIdle();
  }

  /** Ends the socket now. Calls under way are charged as they stand. */
  stop(stop: Stop, cutAfterMs?: number): void {
    if (this.#stopped) return;
    this.#stopped = stop;
    this.#asking.close();
    if (stop.saying) void sayError(this.#line, this.#client, stop.saying, {});
    this.#client.close(stop.code, stop.reason);
    this.#upstream.close(stop.code === 1008 ? 1000 : stop.code, '');
    if (cutAfterMs !== undefined)
      setTimeout(() => {
        this.#client.cut();
        this.#upstream.cut();
      }, cutAfterMs).unref();
    this.#ending = Promise.all(this.#book.open.map((call) => this.#end(call, stop.ending, stop.saying)));
  }

  /** Reads one side to its end; a failure of our own ends the socket and leaves the others. */
  async #pump(from: SocketEnd, side: 'client' | 'provider'): Promise<void> {
    try {
      for await (const message of from.messages) {
        if (this.#stopped) break;
        if (side === 'client') await this.#asking.hear(message, (stop) => this.stop(stop));
        else await this.#tell(message);
        this.#goIfIdle();
      }
    } catch (error) {
      const saying = sayingOf(this.#line.gate(), error);
      this.stop({ ending: 'cut', code: 1011, reason: 'the gate failed inside', saying });
    }
    this.stop(this.#left(await from.closed, side));
  }

  #left({ code, reason }: SocketEnding, side: 'client' | 'provider'): Stop {
    const plain = code === 1000 || code === 1001 || code === 1005;
    const goodbye = { code: code === 1005 ? 1000 : code, reason };
    if (side === 'client') return { ending: 'client_left', ...(plain ? goodbye : { code: 1001, reason: '' }) };
    if (plain) return { ending: 'upstream_broke', ...goodbye };
    const why = reason === '' ? 'the provider broke the socket off' : reason;
    return { ending: 'upstream_broke', code: code === 1006 ? 1011 : code, reason: why };
  }

  async #tell(message: SocketMessage): Promise<void> {
    const body = providerMessage(message);
    if (!body) {
      const text = 'the provider sent a message that cannot be read, so it is not carried';
      const saying = sayingOf(this.#line.gate(), new Fault('TG_UPSTREAM_UNREADABLE', text));
      return this.stop({ ending: 'upstream_broke', code: 1011, reason: text, saying });
    }
    const event = this.#line.session.watch(body, message.bytes.length);
    if (event.own) return;
    if (event.side) await chargeSide(this.#line, event.side);
    if (event.over !== undefined) await this.#endIfOpen(event.over);
    if (event.response !== undefined) return this.#respond(event.response, event, body, message);
    if (event.refuses) await this.#book.refused(event.refuses.id, event.lane)?.refused(this.#seals);
    await this.#client.send(message.bytes);
  }

  /** A message of a response: what is judged flows on, what ends it settles it first, so that the next call finds the money back. */
  async #respond(response: string, event: ServerEvent, body: JsonObject, message: SocketMessage): Promise<void> {
    const known = this.#book.find(response);
    if (!known && event.repeats) {
      await this.#client.send(message.bytes);
      return;
    }
    const call = known ?? (await this.#begin(response, event, body, message));
    if (this.#stopped) return;
    const { out, cut } = await call.take(message.bytes);
    if (call.over && !call.ended) await call.end(undefined, this.#seals);
    for (const bytes of out) await this.#send(bytes);
    if (cut) await this.#refuse(cut, response, call.lane, call.over);
  }

  async #begin(response: string, event: ServerEvent, body: JsonObject, message: SocketMessage): Promise<SocketCall> {
    const { lane } = event;
    const waiting = this.#book.next(lane);
    if (waiting) {
      this.#book.begin(response, waiting);
      return waiting;
    }
    const spoken = this.#line.session.unasked(new TextDecoder().decode(message.bytes), body);
    const ask = { body: spoken, raw: message.bytes, lane, clientId: undefined, ordinal: response };
    const { call, refusal } = await openUnasked(this.#line, ask);
    this.#book.begin(response, call);
    if (this.#stopped) await call.end(this.#stopped.ending, this.#seals);
    else if (refusal !== undefined) {
      const saying = sayingOf(this.#line.gate(), refusal);
      call.mute(saying.code);
      await this.#refuse(saying, response, lane, false);
    }
    return call;
  }

  /** Says that a response is withheld, and asks the provider to stop it. */
  async #refuse(saying: Saying, response: string, lane: string, over: boolean): Promise<void> {
    const { session } = this.#line;
    const cancel = over ? undefined : session.cancel(response);
    if (cancel !== undefined) await this.#upstream.send(cancel);
    await sayError(this.#line, this.#client, saying, { lane });
    for (const text of session.ended(saying, response, lane)) await this.#client.send(text);
  }

  async #send(bytes: Uint8Array): Promise<void> {
    let start = 0;
    for (let end = bytes.indexOf(SEPARATOR); end !== -1; end = bytes.indexOf(SEPARATOR, start)) {
      await this.#client.send(bytes.subarray(start, end));
      start = end + 1;
    }
    if (start < bytes.length) await this.#client.send(start === 0 ? bytes : bytes.subarray(start));
  }

  async #endIfOpen(response: string): Promise<void> {
    const call = this.#book.find(response);
    if (call && !call.ended) await call.end('upstream_broke', this.#seals);
  }

  async #end(call: SocketCall, ending: Ending, saying: Saying | undefined): Promise<void> {
    if (saying && ending === 'cut') call.mute(saying.code);
    await call.end(ending, this.#seals);
  }

  #goIfIdle(): void {
    if (this.#draining && this.#book.open.length === 0 && !this.#asking.busy) this.stop(GOING);
  }

  readonly #seals = (done: Promise<void>): void => {
    this.#sealing.add(done);
    void done.finally(() => this.#sealing.delete(done));
  };
}
