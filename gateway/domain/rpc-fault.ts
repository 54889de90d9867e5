import { Fault, type FaultCode } from './fault.ts';
import type { Json } from './json.ts';

/** Error codes of JSON-RPC 2.0 (section 5.1) and MCP 2026-07-28 (schema.ts). Never -32002 or -32042, which are no longer used. */
export const RPC = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
} as const;

/** A refusal that JSON-RPC has its own code for. The message is for the caller and never holds a key, a token or prompt text. */
export class RpcFault extends Fault {
  readonly rpc: number;
  readonly #status: number | undefined;
  /** goes into `error.data`, beside our own code */
  readonly data: { readonly [name: string]: Json } | undefined;

  constructor(
    rpc: number,
    message: string,
    more: {
      readonly code?: FaultCode;
      readonly status?: number;
      readonly data?: { readonly [name: string]: Json };
      readonly cause?: unknown;
      readonly rule?: string | undefined;
      readonly reason?: string | undefined;
    } = {},
  ) {
    super(more.code ?? 'TG_BAD_REQUEST', message, more.cause, { rule: more.rule, reason: more.reason });
    this.name = 'RpcFault';
    this.rpc = rpc;
    this.#status = more.status;
    this.data = more.data;
  }

  override get status(): number {
    return this.#status ?? super.status;
  }
}
