import type { Reply } from '../pipeline/reply.ts';
import { ReplyThrough } from './reply-through.ts';

/** What a page has to be allowed to send, and what it has to be allowed to see, to speak MCP. */
const SENT =
  'authorization, content-type, last-event-id, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, x-tollgate-key';
const SEEN = 'mcp-session-id, mcp-protocol-version, www-authenticate, x-tollgate-call, x-tollgate-decision';

/** The headers that let a page of this origin read an answer (https://fetch.spec.whatwg.org/#http-cors-protocol). */
const readable = (origin: string): Readonly<Record<string, string>> => ({
  'access-control-allow-origin': origin,
  'access-control-expose-headers': SEEN,
  vary: 'origin',
});

/** Answers the question that a browser asks before it lets a page of this origin call. Names of parameters (`Mcp-Param-…`) are the page's own. */
export function answerPreflight(reply: Reply, origin: string, asked: string | undefined): void {
  const parameters = (asked ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => /^mcp-param-[a-z0-9_-]{1,64}$/.test(name));
  reply.head(204, {
    ...readable(origin),
    'access-control-allow-methods': 'GET, POST, DELETE',
    'access-control-allow-headers': [SENT, ...parameters].join(', '),
    'access-control-max-age': '600',
    'content-length': '0',
  });
  reply.end();
}

/** The way back to a page of this origin, which was found to be allowed. */
class ReadableReply extends ReplyThrough {
  readonly #headers: Readonly<Record<string, string>>;

  constructor(reply: Reply, origin: string) {
    super(reply);
    this.#headers = readable(origin);
  }

  override head(status: number, headers: Readonly<Record<string, string | readonly string[]>>): void {
    super.head(status, { ...headers, ...this.#headers });
  }
}

export const readableBy = (reply: Reply, origin: string): Reply => new ReadableReply(reply, origin);
