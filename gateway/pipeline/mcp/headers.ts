import type { Headers } from '../../ports/dialect.ts';
import type { OpenSession } from './visit.ts';

/** Of one hop, of forwarding, of the caller's own credentials, or of the browser that we answered for (mcp-plane.md 5). */
const KEPT_BACK =
  /^(?:connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|host|content-length|accept-encoding|forwarded|via|x-real-ip|authorization|cookie|x-api-key|api-key|x-goog-api-key|x-acp-key|x-bf-vk|origin|referer|mcp-session-id|proxy-.*|x-forwarded-.*|x-tollgate-.*|sec-.*|access-control-.*)$/;

/** Headers for the server: the caller's, without what is not its business; '' in `changes` takes one out. */
export function headersForServer(
  headers: Headers,
  session: OpenSession | undefined,
  changes: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const out: Record<string, string> = {};
  const named = String(headers['connection'] ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase());
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || KEPT_BACK.test(name) || named.includes(name)) continue;
    out[name] = typeof value === 'string' ? value : value.join(', ');
  }
  if (session && session.upstream !== '') out['mcp-session-id'] = session.upstream;
  for (const [name, value] of Object.entries(changes)) {
    if (value === '') delete out[name];
    else out[name] = value;
  }
  return out;
}

const NOT_FOR_CALLERS =
  /^(?:connection|keep-alive|transfer-encoding|trailer|upgrade|content-length|content-encoding|set-cookie|www-authenticate|alt-svc|strict-transport-security|mcp-session-id|proxy-.*|access-control-.*|x-tollgate-.*)$/;

/** Headers for the caller: the server's, without its cookies and its challenges; a session it repeats has the caller's name for it. */
export function headersForCaller(
  headers: Headers,
  session: OpenSession | undefined,
): Record<string, string | readonly string[]> {
  const out: Record<string, string | readonly string[]> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined && !NOT_FOR_CALLERS.test(name)) out[name] = value;
  }
  if (session && headers['mcp-session-id'] === session.upstream) out['mcp-session-id'] = session.handle;
  return out;
}
