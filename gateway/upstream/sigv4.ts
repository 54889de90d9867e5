import { createHash, createHmac } from 'node:crypto';
import type { SigningKeys } from '../ports/upstream.ts';

/** What is to be signed. */
export interface Signable {
  readonly method: string;
  /** path and query exactly as they are sent */
  readonly path: string;
  /** lower-case names; `host` is among them. Every one is signed. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

/** What signing keys are for unless they say otherwise. */
const SERVICE = 'bedrock';
const ALGORITHM = 'AWS4-HMAC-SHA256';

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Uint8Array, data: string): Buffer => createHmac('sha256', key).update(data).digest();

/** RFC 3986: everything but the unreserved characters. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** Every service but S3 encodes the path it got once more. */
const canonicalPath = (path: string): string => path.split('/').map(encode).join('/') || '/';

function canonicalQuery(query: string): string {
  if (query === '') return '';
  const pairs = query.split('&').map((pair): [string, string] => {
    const cut = pair.indexOf('=');
    const [name, value] = cut === -1 ? [pair, ''] : [pair.slice(0, cut), pair.slice(cut + 1)];
    return [encode(decodeURIComponent(name)), encode(decodeURIComponent(value))];
  });
  return pairs
    .sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/** The headers that carry an AWS Signature Version 4 (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html). */
export function sigv4(request: Signable, keys: SigningKeys, now: Date): Record<string, string> {
  const stamp = now.toISOString().replace(/[-:]|\.[0-9]{3}/g, '');
  const day = stamp.slice(0, 8);
  const added: Record<string, string> = {
    'x-amz-date': stamp,
    ...(keys.session_token !== undefined && { 'x-amz-security-token': keys.session_token }),
  };
  const signed = Object.entries({ ...request.headers, ...added }).sort(([a], [b]) => (a < b ? -1 : 1));
  const names = signed.map(([name]) => name).join(';');
  const cut = request.path.indexOf('?');
  const canonical = [
    request.method,
    canonicalPath(cut === -1 ? request.path : request.path.slice(0, cut)),
    canonicalQuery(cut === -1 ? '' : request.path.slice(cut + 1)),
    ...signed.map(([name, value]) => `${name}:${value.trim().replace(/ +/g, ' ')}`),
    '',
    names,
    sha256(request.body ?? ''),
  ].join('\n');
  const scope = `${day}/${keys.region}/${keys.service ?? SERVICE}/aws4_request`;
  const toSign = [ALGORITHM, stamp, scope, sha256(canonical)].join('\n');
  const key = scope
    .split('/')
    .reduce<string | Buffer>((secret, part) => hmac(secret, part), `AWS4${keys.secret_access_key}`);
  const signature = createHmac('sha256', key).update(toSign).digest('hex');
  const authorization = `${ALGORITHM} Credential=${keys.access_key_id}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return { ...added, authorization };
}
