/** Every way a call can fail inside the gate: code, status and who is to blame. Codes are never reused. */
export const FAULTS = {
  TG_BAD_REQUEST: { status: 400, blame: 'caller' },
  TG_TOO_LARGE: { status: 413, blame: 'caller' },
  TG_UNKNOWN_ROUTE: { status: 404, blame: 'caller' },
  TG_METHOD: { status: 405, blame: 'caller' },
  TG_UPGRADE_REFUSED: { status: 501, blame: 'gate' },
  TG_UPGRADE_REQUIRED: { status: 426, blame: 'caller' },
  TG_NO_KEY: { status: 401, blame: 'caller' },
  TG_BAD_KEY: { status: 401, blame: 'caller' },
  TG_MEDIA_TYPE: { status: 415, blame: 'caller' },
  TG_FOREIGN_ORIGIN: { status: 403, blame: 'caller' },
  TG_SCOPE: { status: 403, blame: 'caller' },
  TG_UNKNOWN_SESSION: { status: 404, blame: 'caller' },
  TG_POLICY_DENIED: { status: 403, blame: 'policy' },
  TG_BUDGET_EXCEEDED: { status: 402, blame: 'policy' },
  TG_RATE_LIMITED: { status: 429, blame: 'policy' },
  TG_KEYS_UNAVAILABLE: { status: 503, blame: 'gate' },
  TG_LEDGER_UNAVAILABLE: { status: 503, blame: 'gate' },
  TG_RECORD_UNAVAILABLE: { status: 503, blame: 'gate' },
  TG_PINS_UNAVAILABLE: { status: 503, blame: 'gate' },
  TG_DRAINING: { status: 503, blame: 'gate' },
  TG_OVERLOADED: { status: 503, blame: 'gate' },
  TG_UPSTREAM_UNREACHABLE: { status: 502, blame: 'upstream' },
  TG_UPSTREAM_TIMEOUT: { status: 504, blame: 'upstream' },
  TG_UPSTREAM_BROKE: { status: 502, blame: 'upstream' },
  TG_UPSTREAM_UNREADABLE: { status: 502, blame: 'upstream' },
  TG_UPSTREAM_AUTH: { status: 502, blame: 'upstream' },
  TG_INTERNAL: { status: 500, blame: 'gate' },
} as const;
export type FaultCode = keyof typeof FAULTS;

/** An expected failure. The message is for the caller and never holds a key, a token or prompt text. */
export class Fault extends Error {
  readonly code: FaultCode;
  override readonly cause?: unknown;
  /** the rule or budget behind a denial, `<bundle>/<rule>` */
  readonly rule?: string | undefined;
  readonly reason?: string | undefined;
  /** when it is worth asking again; absent: nobody knows, or never */
  readonly retryAfterS?: number | undefined;

  constructor(
    code: FaultCode,
    message: string,
    cause?: unknown,
    denial?: { rule?: string | undefined; reason?: string | undefined; retryAfterS?: number | undefined },
  ) {
    super(message);
    this.name = 'Fault';
    this.code = code;
    this.cause = cause;
    this.rule = denial?.rule;
    this.reason = denial?.reason;
    this.retryAfterS = denial?.retryAfterS;
  }

  get status(): number {
    return FAULTS[this.code].status;
  }
}
