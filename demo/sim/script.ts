/** A JSON object as it came over the wire. */
export type Body = Readonly<Record<string, unknown>>;

/** Where the conversation stands, so that a script need not read either wire language. */
export interface Turn {
  /** requests this simulator has answered, this one included */
  readonly call: number;
  /** answers of the assistant that the conversation already holds */
  readonly turn: number;
  /** the newest text of the user, '' where there is none */
  readonly input: string;
  /** contents of the tool results since the assistant last spoke */
  readonly results: readonly string[];
  /** names of the tools the request declares */
  readonly tools: readonly string[];
}

export interface ToolCall {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** made up where it is left out */
  readonly id?: string | undefined;
}

/** Tokens; counts that are left out are estimated from sizes. */
export interface ScriptedUsage {
  readonly input?: number | undefined;
  readonly output?: number | undefined;
  readonly cacheRead?: number | undefined;
  readonly cacheWrite?: number | undefined;
}

/** What the model says. `error` makes the provider fail instead, in its own error shape. */
export interface Answer {
  readonly text?: string | undefined;
  readonly toolCalls?: readonly ToolCall[] | undefined;
  readonly usage?: ScriptedUsage | undefined;
  /** wait before the first byte */
  readonly delayMs?: number | undefined;
  readonly error?: { readonly status: number; readonly message: string } | undefined;
}

/** The simulated model: called once for each accepted request. */
export type Script = (body: Body, turn: Turn) => Answer;

export interface SimOptions {
  readonly script: Script;
  /** bytes per write of a streamed answer; left out: one event per write */
  readonly chunkSize?: number | undefined;
  /** wait between two writes of a streamed answer; 0 unless told */
  readonly chunkDelayMs?: number | undefined;
}

/** About four bytes of JSON make a token; never less than one. */
const tokensOf = (value: unknown): number =>
  Math.max(1, Math.ceil(Buffer.byteLength(typeof value === 'string' ? value : JSON.stringify(value)) / 4));

/** Cuts text the way models stream it: a word with the space before it at a time. */
export const wordsOf = (text: string): readonly string[] => text.match(/\s*\S+|\s+$/g) ?? [];

/** An answer as it will be served: cut to the caller's output cap, counted, its calls named. */
export interface Served {
  readonly text: string;
  readonly calls: readonly Required<ToolCall>[];
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  /** the caller's cap ended it */
  readonly cut: boolean;
}

/** Serves `answer` under a cap of output tokens, as a provider would: text is cut there, and calls that do not fit are not made. */
export function serve(answer: Answer, body: Body, cap: number | undefined, newId: (n: number) => string): Served {
  const { usage } = answer;
  const full = answer.text ?? '';
  const calls = (answer.toolCalls ?? []).map((call, i) => ({ ...call, id: call.id ?? newId(i + 1) }));
  const callTokens = calls.reduce((sum, { name, args }) => sum + tokensOf({ name, args }), 0);
  const textTokens = full === '' ? 0 : tokensOf(full);
  const room = cap ?? Number.POSITIVE_INFINITY;
  const cut = textTokens + callTokens > room;
  const text = textTokens > room ? full.slice(0, room * 4) : full;
  const said = cut ? (text === '' ? 0 : tokensOf(text)) : textTokens + callTokens;
  return {
    text,
    calls: cut ? [] : calls,
    input: usage?.input ?? tokensOf(body),
    output: Math.min(usage?.output ?? Math.max(1, said), room),
    cacheRead: usage?.cacheRead ?? 0,
    cacheWrite: usage?.cacheWrite ?? 0,
    cut,
  };
}
