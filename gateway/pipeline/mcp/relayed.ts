import { Fault } from '../../domain/fault.ts';
import { isObject, type Json, member } from '../../domain/json.ts';
import type { Ending } from '../../domain/receipt.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';

/** What carrying a message came to. */
export interface Relayed {
  readonly ending: Ending;
  /** the result that answered the request, as the server sent it; undefined: none was seen */
  readonly result?: Json | undefined;
  /** the server says that it failed */
  readonly failed: boolean;
  /** the result passed without being kept: nothing of it is counted */
  readonly unread?: boolean;
}

/** An answer as its caller gets it; the message itself where nothing was changed. */
export interface Reviewed {
  readonly message: RpcMessage;
  /** header fields it needs beside the server's own */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Turns an answer of the server into what its caller gets. Throws a Fault where it is withheld. */
export type Review = (response: RpcMessage, request: RpcMessage | undefined) => Promise<Reviewed>;

/** Nothing of an unreadable message is passed on, and it is not dropped in silence (mcp-plane.md 3). */
export function unreadable(error: unknown): unknown {
  if (!(error instanceof Fault)) return error;
  return new Fault(
    'TG_UPSTREAM_UNREADABLE',
    `the server sent a message that cannot be accepted: ${error.message}`,
    error,
  );
}

/** What an answer says of its call. */
export function answered({ doc }: RpcMessage, status: number): Relayed {
  const result = doc.value['result'];
  const failed = status >= 300 || result === undefined || member(result, 'isError') === true;
  return {
    ending: status >= 300 ? 'upstream_error' : 'completed',
    result: isObject(result) ? result : (doc.value['error'] ?? null),
    failed,
  };
}
