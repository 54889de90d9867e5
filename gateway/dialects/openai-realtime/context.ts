import { asCount, asString, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import { declaredTools, serverTools, toolNames } from '../openai-responses/tools.ts';

/** What the session says of itself, and how much every response will read. */
export class Context {
  model: string;
  tools: readonly string[] = [];
  serverTools: ReturnType<typeof serverTools> = [];
  outputCap: number | undefined;
  transcription: string | undefined;
  /** bytes of the session itself, as it was last stated */
  #session = 0;
  /** bytes of what was added since; the tokens of what was read before stand for their bytes */
  #added = 0;
  readonly #opaque = new Set<string>();

  constructor(model: string) {
    this.model = model;
  }

  /** Most bytes that a response reads beside its own event. */
  get bytes(): number {
    return this.#session + this.#added;
  }

  get opaque(): readonly string[] {
    return [...this.#opaque];
  }

  add(bytes: number, opaque: readonly string[]): void {
    this.#added += bytes;
    for (const kind of opaque) this.#opaque.add(kind);
  }

  /** The session as the provider states it. */
  state(session: JsonObject, bytes: number): void {
    this.model = asString(session['model']) || this.model;
    const tools = declaredTools(session['tools'], '');
    this.tools = toolNames(tools);
    this.serverTools = serverTools(tools, undefined);
    // `inf` is the model's own
    this.outputCap = asCount(session['max_output_tokens'] ?? session['max_response_output_tokens']);
    const input = member(member(session['audio'], 'input'), 'transcription') ?? session['input_audio_transcription'];
    this.transcription = asString(member(input, 'model'));
    if (isObject(session['prompt'])) this.#opaque.add('stored_context');
    this.#session = bytes;
  }

  /** A response of the conversation ended: what it read and wrote is what the next one reads. */
  read(usage: Json | undefined): void {
    const input = asCount(member(usage, 'input_tokens'));
    const output = asCount(member(usage, 'output_tokens'));
    if (input !== undefined && output !== undefined) this.#added = input + output;
    for (const side of ['input_token_details', 'output_token_details'])
      if ((asCount(member(member(usage, side), 'audio_tokens')) ?? 0) > 0) this.#opaque.add('audio');
  }
}
