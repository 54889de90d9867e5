import type { Headers } from '../ports/dialect.ts';

type Forwarded = Record<string, string | string[]>;

/** Fields of one hop: RFC 9110 section 7.6.1, and `proxy-*` of section 11.7. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** Not the upstream's business: where we stand, how long the body was, who asked on which path. */
const REQUEST_ONLY = ['host', 'content-length', 'expect', 'accept-encoding', 'forwarded', 'via', 'x-real-ip'];

/** About the upstream's own origin (RFC 7838, RFC 6797), or about the form of a body that passes decoded and may be edited. */
const REPLY_ONLY = ['alt-svc', 'strict-transport-security', 'content-length', 'content-encoding'];

const REQUEST_DROPS: ReadonlySet<string> = new Set([...HOP_BY_HOP, ...REQUEST_ONLY]);
const REPLY_DROPS: ReadonlySet<string> = new Set([...HOP_BY_HOP, ...REPLY_ONLY]);

/** The field names that `connection` declares to be of this hop only. */
function namedByConnection(headers: Headers): readonly string[] {
  const value = headers['connection'];
  if (value === undefined) return [];
  const text = typeof value === 'string' ? value : value.join(',');
  return text.split(',').map((name) => name.trim().toLowerCase());
}

function forward(headers: Headers, keep: (name: string) => boolean): Forwarded {
  const named = namedByConnection(headers);
  const out: Forwarded = {};
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (value === undefined || name === '__proto__' || !keep(name)) continue;
    if (named.length === 0 || !named.includes(name)) out[name] = typeof value === 'string' ? value : [...value];
  }
  return out;
}

/**
 * Headers for the upstream, in their order: without fields of this hop, our own, forwarding fields and `drop` (lower case). The
 * reply is asked for uncompressed, because the gate must read it.
 */
export function forwardRequestHeaders(headers: Headers, options: { readonly drop: readonly string[] }): Forwarded {
  const { drop } = options;
  const out = forward(
    headers,
    (name) =>
      !REQUEST_DROPS.has(name) &&
      !name.startsWith('x-tollgate-') &&
      !name.startsWith('x-forwarded-') &&
      !drop.includes(name),
  );
  out['accept-encoding'] = 'identity';
  return out;
}

/** Headers for the caller, in their order: without fields of the other hop, length and coding, and fields named as ours. */
export function forwardReplyHeaders(headers: Headers): Forwarded {
  return forward(headers, (name) => !REPLY_DROPS.has(name) && !name.startsWith('x-tollgate-'));
}
