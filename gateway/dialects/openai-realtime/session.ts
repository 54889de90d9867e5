import { asString, isObject, type JsonObject, type JsonText, member } from '../../domain/json.ts';
import type { Reading, Saying, StreamReader } from '../../ports/dialect.ts';
import type { Addressee, ClientEvent, ServerEvent, SocketSession, SpokenBody } from '../../ports/socket-language.ts';
import { ToolNames } from '../_shared/tool-names.ts';
import { readBody } from './body.ts';
import { readClientEvent } from './client-event.ts';
import { Context } from './context.ts';
import { errorEvent, failedResponse, OWN_EVENT } from './saying.ts';
import { RealtimeReader } from './stream-reader.ts';
import { transcriptionUsage } from './transcription.ts';

const REMEMBERED = 4096;

/** One realtime socket: a session, a conversation, and the responses to it, asked for or begun by the provider when it hears a pause. */
export class RealtimeSession implements SocketSession {
  readonly #context: Context;
  readonly #tools = new ToolNames();
  /** item → the response it is part of */
  readonly #items = new Map<string, string>();
  #events = 0;

  constructor(model: string) {
    this.#context = new Context(model);
  }

  get model(): string {
    return this.#context.model;
  }

  hear(doc: JsonText, bytes: number): ClientEvent {
    return readClientEvent(doc, bytes, this.#context, this.#tools);
  }

  carried(event: ClientEvent, body: Reading | undefined): void {
    if (event.kind === 'context' && body) this.#context.add(body.bound.bytes - this.#context.bytes, body.bound.opaque);
    else if (event.kind === 'plain') this.#context.add(0, []);
  }

  watch(body: JsonObject, bytes: number): ServerEvent {
    const type = asString(body['type']) ?? '';
    const lane = '';
    if (type === 'error') return this.#refusal(body);
    if (type === 'session.created' || type === 'session.updated') {
      if (isObject(body['session'])) this.#context.state(body['session'], bytes);
      return { response: undefined, lane };
    }
    if (type.startsWith('input_audio_buffer.')) this.#context.add(0, ['audio']);
    if (type === 'conversation.item.input_audio_transcription.completed')
      return { response: undefined, lane, side: transcriptionUsage(body, this.#context.transcription) };
    const item = body['item'];
    if (type.startsWith('conversation.item.'))
      return { response: this.#items.get(asString(member(item, 'id')) ?? ''), lane, repeats: true };
    if (!type.startsWith('response.')) return { response: undefined, lane };
    const response = asString(body['response_id']) ?? asString(member(body['response'], 'id')) ?? 'unannounced';
    if (isObject(item)) this.#learn(item, response);
    if (type === 'response.done') this.#done(body['response']);
    return { response, lane };
  }

  unasked(_text: string, body: JsonObject): SpokenBody {
    const { id: _, ...stated } = isObject(body['response']) ? body['response'] : {};
    const value = { ...('max_output_tokens' in stated && { max_output_tokens: stated['max_output_tokens'] ?? null }) };
    const read = (doc: JsonText, bytes: number): Reading => readBody(doc, bytes, this.#context, this.#tools, true);
    return { reading: read({ text: JSON.stringify(value), value }, 0), read, message: (edited) => edited };
  }

  openReader(reading: Reading): StreamReader {
    return new RealtimeReader(reading, () => this.#eventId());
  }

  error(saying: Saying, { id }: Addressee): string {
    return errorEvent(saying, id, this.#eventId());
  }

  cancel(response: string): string {
    return JSON.stringify({ type: 'response.cancel', event_id: this.#eventId(), response_id: response });
  }

  ended(saying: Saying, response: string): readonly string[] {
    return [failedResponse(saying, response, this.#eventId())];
  }

  #eventId(): string {
    this.#events += 1;
    return `${OWN_EVENT}${this.#events}`;
  }

  #refusal(body: JsonObject): ServerEvent {
    const id = asString(member(body['error'], 'event_id'));
    if (id?.startsWith(OWN_EVENT)) return { response: undefined, lane: '', own: true };
    return { response: undefined, lane: '', refuses: { id } };
  }

  #learn(item: JsonObject, response: string): void {
    this.#tools.learn(item);
    const id = asString(item['id']) ?? '';
    if (id === '') return;
    this.#items.set(id, response);
    if (this.#items.size > REMEMBERED) this.#items.delete(this.#items.keys().next().value as string);
  }

  /** A response outside the conversation leaves it as it was. */
  #done(response: JsonObject[string] | undefined): void {
    if (typeof member(response, 'conversation_id') === 'string') this.#context.read(member(response, 'usage'));
  }
}
