/** What a link hears from its server. */
export interface LinkEvents {
  /** one message as it came, not read yet */
  message(bytes: Uint8Array): void;
  /** something longer than a message may be; it was not kept */
  tooLong(): void;
  /** it is over, and every message was delivered; `how` is for people: `exit code 1` */
  gone(how: string): void;
}

/** One way to one server that carries one session: a process, or a connection. */
export interface Link {
  readonly alive: boolean;
  /** Sends one message. Throws a Fault where it certainly was not served (`TG_UPSTREAM_UNREACHABLE`) or may have been. */
  send(text: string): Promise<void> | void;
  /** Stops and goes on with reading what the server sends. */
  pause(): void;
  resume(): void;
  /** Resolves when it is over. */
  end(): Promise<void>;
}

/** What went wrong with a server that nobody may miss; `detail` holds no content. */
export type Incident = (
  name: 'mcp_unreadable' | 'mcp_unasked' | 'mcp_refused_request' | 'mcp_undelivered' | 'mcp_ended',
  detail: Readonly<Record<string, string | number>>,
) => void;

/** What a session needs to know of its server. */
export interface SessionSettings {
  /** our configured key */
  readonly name: string;
  /** a session that nothing was asked of for so long is ended */
  readonly idleMs: number;
  /** a longer message of the server is refused */
  readonly messageBytes: number;
  /** how long an answer may take before it is sent as a stream rather than as JSON */
  readonly patienceMs: number;
  readonly incident: Incident;
  /** milliseconds from an arbitrary start */
  readonly ticks: () => number;
}
