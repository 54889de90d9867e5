import { asString, isObject, type Json, type JsonObject, type JsonText, member } from '../../domain/json.ts';
import { splice } from '../../domain/json-splice.ts';
import { parseStrict, spanOf } from '../../domain/json-text.ts';
import type { Reading, Saying, StreamReader } from '../../ports/dialect.ts';
import type { Addressee, ClientEvent, ServerEvent, SocketSession, SpokenBody } from '../../ports/socket-language.ts';
import { NO_CAP } from '../_shared/plain-reading.ts';
import { ToolNames } from '../_shared/tool-names.ts';
import { badRequest, optionalString } from '../openai-chat/expect.ts';
import { errorBody } from '../openai-chat/saying.ts';
import { readInput } from './input-items.ts';
import { readRequest } from './read-request.ts';
import { ResponseSocketReader } from './socket-reader.ts';

const TERMINAL = new Set(['response.completed', 'response.incomplete', 'response.failed']);

/** A message in the lane it belongs to; the gate's own have to say so as well. */
const inLane = (message: string, lane: string): string =>
  lane === '' || member(JSON.parse(message) as Json, 'stream_id') !== undefined
    ? message
    : splice(message, { at: '/stream_id', json: JSON.stringify(lane) });

/** One Responses socket: `response.create` is the body of a POST, and what comes back are the events of its stream. */
export class ResponsesSession implements SocketSession {
  readonly #tools = new ToolNames();
  /** lane → the response under way in it */
  readonly #current = new Map<string, string>();
  /** lane → what it was asked last: a steered response goes on with the same settings */
  readonly #asked = new Map<string, Reading>();
  /** lane → how many responses were asked for and have not begun */
  readonly #waiting = new Map<string, number>();
  #model = '';

  get model(): string {
    return this.#model;
  }

  hear(doc: JsonText, bytes: number): ClientEvent {
    const type = member(doc.value, 'type');
    if (type === 'response.create') {
      if (member(doc.value, 'background') === true)
        throw badRequest('background', 'must not be set on a socket: its usage would come when nobody listens');
      const lane = optionalString(doc.value, 'stream_id') ?? '';
      return { kind: 'call', id: undefined, lane, body: this.#body(doc, bytes) };
    }
    if (type === 'response.steer') return { kind: 'context', id: undefined, body: this.#steering(doc, bytes) };
    throw badRequest('type', 'is none that this gate carries here: `response.create` or `response.steer`');
  }

  carried(event: ClientEvent, body: Reading | undefined): void {
    if (event.kind !== 'call' || !body) return;
    this.#model = body.model;
    this.#asked.set(event.lane, body);
    this.#waiting.set(event.lane, (this.#waiting.get(event.lane) ?? 0) + 1);
  }

  watch(body: JsonObject): ServerEvent {
    const type = asString(body['type']) ?? '';
    const lane = asString(body['stream_id']) ?? '';
    if (type === 'error') return this.#failure(lane);
    if (!type.startsWith('response.') || type.startsWith('response.steer.')) return { response: undefined, lane };
    if (isObject(body['item'])) this.#tools.learn(body['item']);
    const current = this.#current.get(lane);
    // an event of no response that we know begins one: nothing flows unmetered
    const response = asString(member(body['response'], 'id')) ?? current ?? `unannounced in lane ${lane}`;
    if (response !== current) this.#waiting.set(lane, Math.max(0, (this.#waiting.get(lane) ?? 0) - 1));
    if (TERMINAL.has(type)) this.#current.delete(lane);
    else this.#current.set(lane, response);
    return { response, lane, ...(current !== undefined && current !== response && { over: current }) };
  }

  /** Errors name nothing: one is about what waits for its turn, else about what is under way. */
  #failure(lane: string): ServerEvent {
    const waiting = this.#waiting.get(lane) ?? 0;
    if (waiting > 0) {
      this.#waiting.set(lane, waiting - 1);
      return { response: undefined, lane, refuses: { id: undefined } };
    }
    const current = this.#current.get(lane);
    this.#current.delete(lane);
    return { response: current, lane };
  }

  unasked(text: string, body: JsonObject): SpokenBody {
    const lane = asString(body['stream_id']) ?? '';
    const model = asString(member(body['response'], 'model')) ?? this.#asked.get(lane)?.model ?? this.#model;
    const reading = { ...this.#silent({ text, value: body }, model), bound: this.#goesOn(lane, model) };
    return { reading, read: () => reading, message: (edited) => edited };
  }

  openReader(reading: Reading, lane: string): StreamReader {
    return new ResponseSocketReader(reading, { read: (message) => message, write: (message) => inLane(message, lane) });
  }

  error(saying: Saying, { lane }: Addressee): string {
    const { error } = JSON.parse(errorBody(saying)) as { error: Json };
    const { code, message, status } = saying;
    const data = { type: 'error', status, code, message, param: null, error };
    return JSON.stringify(lane === undefined || lane === '' ? data : { ...data, stream_id: lane });
  }

  cancel(): undefined {
    return undefined;
  }

  ended(): readonly string[] {
    return [];
  }

  #body(doc: JsonText, bytes: number): SpokenBody {
    const read = (edited: JsonText, size: number): Reading => {
      const reading = readRequest(edited, size);
      return { ...reading, stream: true, results: this.#tools.name(reading.results) };
    };
    return { reading: read(doc, bytes), read, message: (body) => body };
  }

  /** Further input for a response under way: judged as input, charged with the response that takes it up. */
  #steering({ text, value }: JsonText, bytes: number): SpokenBody {
    const span = spanOf(text, '/input');
    if (!span) throw badRequest('input', 'is missing');
    const own = parseStrict(`{"input":${text.slice(span.start, span.end)}}`);
    const read = (doc: JsonText, size: number): Reading => {
      const { parts, user, issuedIds } = readInput(member(doc.value, 'input'));
      const input = user.length === 0 ? undefined : { text: user.map((part) => part.text).join('\n'), parts: user };
      const silent = this.#silent(doc, this.#model);
      return { ...silent, bound: { ...silent.bound, bytes: size }, parts, input, issuedIds: [...issuedIds] };
    };
    optionalString(value, 'previous_response_id');
    return {
      reading: read(own, bytes),
      read,
      message(body) {
        const input = spanOf(body, '/input');
        if (!input) throw new RangeError('nothing stands at `/input`');
        return splice(text, { at: '/input', json: body.slice(input.start, input.end) });
      },
    };
  }

  #goesOn(lane: string, model: string): Reading['bound'] {
    const asked = this.#asked.get(lane)?.bound;
    return { ...(asked ?? { bytes: 0, choices: 1, serverTools: [] }), model, opaque: ['stored_context'] };
  }

  /** A reading that asks for no output of its own. */
  #silent(doc: JsonText, model: string): Reading {
    return {
      doc,
      model,
      stream: true,
      tools: [],
      bound: { model, bytes: 0, outputCap: 0, choices: 1, opaque: ['stored_context'], serverTools: [] },
      cap: { at: NO_CAP, floor: 1 },
      parts: [],
      input: undefined,
      results: [],
      messages: [],
      issuedIds: [],
      asserted: {},
      preparation: [],
    };
  }
}
