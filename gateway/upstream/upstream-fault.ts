import { Fault } from '../domain/fault.ts';

const TIMEOUTS = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

/** How far a request came: `waiting` for a connection (nothing sent), `sent`, or `answering` (its head is here). */
export type Progress = 'waiting' | 'sent' | 'answering';

const codeOf = (error: Error): string => {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : '';
};

/** A word for the log: the system's or undici's error code, never the text of a header or body. */
const reasonOf = (error: Error): string => {
  const inner = error instanceof AggregateError ? (error.errors[0] as unknown) : undefined;
  const code = codeOf(error) || (inner instanceof Error ? codeOf(inner) : '');
  return code === '' ? '' : ` (${code.toLowerCase()})`;
};

/** What a transport error means to the caller. Only `waiting` is certainly not served. */
export function upstreamFault(error: Error, progress: Progress, host: string): Fault {
  const code = codeOf(error);
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED') {
    return new Fault('TG_BAD_REQUEST', `the path or a header of this request cannot be sent to \`${host}\``, error);
  }
  if (progress === 'waiting') {
    const text = `cannot reach \`${host}\`${reasonOf(error)}; the request was not sent and may be retried`;
    return new Fault('TG_UPSTREAM_UNREACHABLE', text, error);
  }
  if (code === 'UND_ERR_HEADERS_TIMEOUT') {
    const text = `\`${host}\` did not begin to answer in time; it may have served the request`;
    return new Fault('TG_UPSTREAM_TIMEOUT', text, error);
  }
  if (TIMEOUTS.has(code)) {
    return new Fault('TG_UPSTREAM_TIMEOUT', `\`${host}\` stopped sending in the middle of its answer`, error);
  }
  const where = progress === 'sent' ? 'before it answered' : 'in the middle of its answer';
  const text = `the connection to \`${host}\` broke ${where}${reasonOf(error)}; it may have served the request`;
  return new Fault('TG_UPSTREAM_BROKE', text, error);
}
