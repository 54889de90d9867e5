import type { Edit, TextPart } from '../domain/action.ts';
import type { FaultCode } from '../domain/fault.ts';
import type { Json, JsonText } from '../domain/json.ts';
import type { Splice } from '../domain/json-splice.ts';
import type { Pointer } from '../domain/pointer.ts';
import type { RequestBound } from '../domain/pricing.ts';
import type { Usage } from '../domain/usage.ts';

/** Headers with lower-case names, as they arrived. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** A tool result that the request carries back to the model. */
export interface CarriedResult {
  /** the provider's id of the call it answers */
  readonly callId: string;
  /** the tool's name where the conversation shows it, else '' */
  readonly tool: string;
  /** where the content stands in the request body; the policy target is the value there */
  readonly at: Pointer;
  readonly content: Json;
  /** relative to `content` */
  readonly parts: readonly TextPart[];
  readonly isError: boolean;
}

/** The newest user content: everything the user said since the model last spoke, tool results left out. */
export interface UserInput {
  readonly text: string;
  /** pointers from the body's root */
  readonly parts: readonly TextPart[];
}

/** One message of the conversation, reduced to what identifies it (attribution.md 6): no cache markers, no system array. */
export interface MessageMark {
  readonly role: 'user' | 'assistant' | 'tool';
  /** canonical JSON of its text, tool names, arguments and results */
  readonly canonical: string;
}

/** One request inside another (a batch): judged and quoted by itself. */
export interface Member {
  /** where its body stands in the whole; the reading's own pointers begin there */
  readonly at: Pointer;
  /** for people: which one it is */
  readonly name: string;
  readonly reading: Reading;
}

/** What a request says. Pure reading: nothing is changed. */
export interface Reading {
  readonly doc: JsonText;
  readonly model: string;
  readonly stream: boolean;
  /** names of the declared tools, provider-run tools included */
  readonly tools: readonly string[];
  readonly bound: RequestBound;
  /** the output cap field the caller used, or the one to use; `floor` is the least value it may get (a thinking budget) */
  readonly cap: {
    readonly at: Pointer;
    readonly floor: number;
    /** what to write at `at` for so many tokens; absent: the number itself */
    readonly json?: ((tokens: number) => string) | undefined;
  };
  /** every text of the request that detectors may read, pointers from the body's root */
  readonly parts: readonly TextPart[];
  readonly input: UserInput | undefined;
  readonly results: readonly CarriedResult[];
  readonly messages: readonly MessageMark[];
  /** ids that a provider issued and that come back in this request: tool calls, `previous_response_id` */
  readonly issuedIds: readonly string[];
  /** names the body asserts: `user`, `session`, `account` … */
  readonly asserted: Readonly<Record<string, string>>;
  /** the gate's own edits to make the call measurable (`stream_options.include_usage`); no verdict is behind them */
  readonly preparation: readonly Splice[];
  /** the requests it consists of, where it is a batch; absent: it is one itself */
  readonly members?: readonly Member[] | undefined;
}

/** A tool call the model proposes in its reply. */
export interface ProposedCall {
  /** names the call inside this reply: choice and index, or block index */
  readonly slot: string;
  readonly callId: string;
  readonly tool: string;
  readonly server?: string | undefined;
  readonly args: Json;
  /** relative to `args` */
  readonly parts: readonly TextPart[];
  /** the arguments were no valid JSON object: `args` holds the raw text as a string */
  readonly malformed: boolean;
}

/** What the review of a reply changed. Applied by the dialect, which knows how to keep the reply consistent. */
export interface ReplyChanges {
  /** slot → the short text that takes the denied call's place */
  readonly denied: ReadonlyMap<string, string>;
  /** slot → the arguments that take the place of the proposed ones */
  readonly edited: ReadonlyMap<string, Json>;
  /** edits to text, relative to the reply's root; unary replies only */
  readonly texts: readonly Edit[];
}

/** A reply that promises its usage for later. */
export interface Deferred {
  /** the provider's id of what was begun */
  readonly object: string;
  /** the longest the provider takes and the caller needs to look, in milliseconds; after that the hold is the charge */
  readonly withinMs: number;
}

/**
 * A route that asks about what an earlier call began: free of charge, carried without a request of its own. Its reply is `answer`:
 * the model's, read by `readReply`; `status`: read by `readStatus`; `lines`: read by `results`, line by line; `other`: not read.
 */
export interface FollowUp {
  readonly upstreamPath: string;
  /** the provider's id of what was begun; undefined: it asks about several */
  readonly object?: string | undefined;
  readonly reply: 'answer' | 'status' | 'lines' | 'other';
}

/** What a status says. */
export interface StatusReading {
  /** it is over, and nothing was produced that is charged */
  readonly free: boolean;
  /** what has to change before the caller sees it (a link past the gate) */
  readonly edits: readonly Splice[];
}

/** Results that come as JSON lines, one for each request of a batch. */
export interface ResultLines {
  /** Where the model's answer stands in a line; undefined where there is none and nothing is charged. Throws a Fault for what is no result. */
  answerAt(line: JsonText): Pointer | undefined;
  /** The line with an error in the place of its answer. */
  withheld(line: JsonText, saying: Saying): string;
}

/** What a complete reply (not a stream) says. */
export interface ReplyReading {
  readonly usage: Usage;
  readonly servedModel: string | undefined;
  readonly calls: readonly ProposedCall[];
  /** the model's visible text, pointers from the body's root */
  readonly parts: readonly TextPart[];
  readonly text: string;
  /** ids issued in this reply, so that they are known when they come back */
  readonly issuedIds: readonly string[];
  readonly mark: MessageMark;
  /** its usage comes later; `usage` is what is known now */
  readonly deferred?: Deferred | undefined;
}

/** One event of a streamed reply with what has to be known before it may be sent. */
export interface Frame {
  /** the event, byte for byte, its blank line included */
  readonly bytes: Uint8Array;
  /** metered, never sent: the client did not ask for it */
  readonly hidden: boolean;
  /**
   * What it belongs to: text of a channel, pieces of a tool call. A frame may overtake held frames it shares no lane with.
   * Empty: a barrier (ping, finish, unknown): it keeps its place behind everything before it.
   */
  readonly lanes: readonly string[];
  /** visible text it carries, by channel; a channel is one stretch that redaction may have to look back over */
  readonly texts: readonly { readonly channel: string; readonly text: string }[];
  /** channels that end with this frame */
  readonly closes: readonly string[];
  /** slots of the tool calls whose pieces ride in it */
  readonly slots: readonly string[];
  /** tool calls that are complete once this frame has been read */
  readonly completes: readonly ProposedCall[];
  /** it says that and why the reply ended */
  readonly finish: boolean;
  readonly ping: boolean;
}

/** What review decided about the contents of one frame. */
export interface FrameChanges {
  /** channel → the text to send in this frame instead; '' sends none */
  readonly texts: ReadonlyMap<string, string>;
  /** slot → short text that takes the call's place */
  readonly denied: ReadonlyMap<string, string>;
  /** slot → arguments to send instead */
  readonly edited: ReadonlyMap<string, Json>;
}

/** Reads one streamed reply. Stateful; a failure of its own never breaks the stream, it only makes usage less certain. */
export interface StreamReader {
  /** Takes bytes as they come, cut anywhere, and returns the events they completed. */
  push(chunk: Uint8Array): Frame[];
  /** The stream ended: whatever is left, complete or not. */
  end(): Frame[];
  /**
   * The bytes to send for a frame that must change, or whose reply has changed before it (indexes, finish reason). Called once for
   * every frame in sending order after the first change. Empty: nothing is to be sent.
   */
  rewrite(frame: Frame, changes: FrameChanges): Uint8Array;
  /** Usage as far as it is known; `exact` only after the terminal usage was seen. */
  usage(): Usage;
  servedModel(): string | undefined;
  /** The provider said the reply is over (its terminal event was seen). */
  finished(): boolean;
  /** An error event was seen: the provider failed in mid-stream. */
  failed(): boolean;
  /** Least number of output tokens certainly produced so far, from the bytes seen. */
  outputFloor(): number;
  /** How often the provider itself ran something so far (server tools, compaction, fallback): each may have read a whole window again. */
  providerRuns(): number;
  /** All visible text so far. */
  text(): string;
  issuedIds(): readonly string[];
  mark(): MessageMark;
  /** What goes on at the provider when nobody reads any more, and can be asked about later. */
  deferred?(): Deferred | undefined;
  /** An error in mid-stream where this reply's framing is not the dialect's usual one; `sent`: the last bytes that went out. */
  errorEvents?(saying: Saying, sent: Uint8Array | undefined): Uint8Array;
}

/** Something the gate says itself, to be put into the caller's tongue. */
export interface Saying {
  readonly code: FaultCode;
  readonly status: number;
  readonly message: string;
  readonly rule?: string | undefined;
  readonly reason?: string | undefined;
}

/** A query parameter that carries a credential, and the header that says the same. */
export interface QueryCredential {
  readonly parameter: string;
  /** lower case */
  readonly header: string;
  /** what stands before the value in the header: `Bearer ` */
  readonly scheme?: string | undefined;
}

/** A body that is not JSON (a form), as a document that is read, judged and edited like one. */
export interface Envelope {
  readonly json: string;
  /** The body with the edits of the document in it, everything else byte for byte. Throws a Fault (`TG_POLICY_DENIED`) where one cannot land. */
  encode(json: string): Uint8Array;
}

/** One wire language. Pure but for the reader's own state: no I/O, no clock, no configuration. */
export interface Dialect {
  /** e.g. `openai-chat` */
  readonly name: string;
  /** True where this method and path (below the upstream's prefix, query left out) are this language's generating call. Doubled or missing `/v1` is accepted. */
  claims(method: string, path: string): boolean;
  /** The routes that ask about what an earlier call began. */
  follow?(method: string, path: string): FollowUp | undefined;
  /** Reads the reply of a `status` route. Throws a Fault where it is none. */
  readStatus?(doc: JsonText): StatusReading;
  /** Reads the replies of a `lines` route. */
  readonly results?: ResultLines;
  /** The path to ask the upstream for, given the claimed one. */
  upstreamPath(path: string): string;
  /** Headers that carry the caller's credential in this language, lower case, e.g. `authorization`, `x-api-key`. */
  readonly credentialHeaders: readonly string[];
  /** Query parameters that carry the caller's credential: moved into their header, so that no path ever holds one. */
  readonly queryCredentials?: readonly QueryCredential[];
  /** Throws a Fault (`TG_BAD_REQUEST`) that names the field. `path` is what the upstream is asked for, query included. */
  read(doc: JsonText, bytes: number, headers: Headers, path?: string): Reading;
  /** Opens a body that is not JSON; undefined: it is. Throws a Fault (`TG_BAD_REQUEST`) where it cannot be read in one way only. */
  unwrap?(body: Uint8Array, headers: Headers): Promise<Envelope | undefined>;
  /** True where a successful reply of this content type is text alone: it is read and judged as `{"text": …}`. */
  isPlainText?(contentType: string, reading: Reading): boolean;
  /** True where a successful reply of this content type is a stream; absent: `text/event-stream` alone is. */
  isStream?(contentType: string, reading: Reading): boolean;
  /**
   * Reads a complete successful reply; `reading` is what it answers, for what the reply leaves out (the cache lifetime asked for).
   * Throws a Fault (`TG_UPSTREAM_UNREADABLE`) where it is not this language.
   */
  readReply(doc: JsonText, reading?: Reading): ReplyReading;
  /** The reply with the changes made; other bytes stay as they were. Throws a RangeError where a change has nowhere to land. */
  editReply(doc: JsonText, changes: ReplyChanges): string;
  /** Usage that an error reply states; an upstream refusal (4xx) is an exact zero. */
  openStream(reading: Reading): StreamReader;
  /** The body of an error answer, in this language's own shape. */
  error(saying: Saying): string;
  /** The same in mid-stream: complete events, after which the stream ends. */
  errorEvents(saying: Saying): Uint8Array;
  /** A comment or ping that keeps an idle stream open. */
  readonly keepAlive: Uint8Array;
}
