import type { McpEra, RpcMessage } from '../../ports/mcp-wire.ts';
import type { Retry } from './request-state.ts';
import type { Errand } from './visit.ts';

/** A request of a caller with what was found out about it before it is judged. */
export interface Ask {
  readonly errand: Errand;
  readonly message: RpcMessage;
  readonly era: McpEra;
  /** the message goes on where an earlier one asked for input */
  readonly retry?: Retry | undefined;
  /** the message as its caller wrote it, where it was edited since */
  readonly original?: RpcMessage;
}
