import { crc32 } from 'node:zlib';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

function base62(value: number, digits: number): string {
  let text = '';
  for (let rest = value; text.length < digits; rest = Math.floor(rest / 62)) text = BASE62.charAt(rest % 62) + text;
  return text;
}

/** The last six characters of these tokens are the CRC-32 of the thirty before, in base 62 (github.blog, 2021-04-05; npm uses the same form). */
export function checksummed(secret: string): number {
  const body = secret.slice(secret.indexOf('_') + 1);
  return body.length === 36 && base62(crc32(body.slice(0, 30)), 6) === body.slice(30) ? 1 : 0.8;
}

/** A JSON Web Token's first part is JSON that names an algorithm (RFC 7515 section 4.1.1). */
export function jsonWebToken(secret: string): number | undefined {
  const head = Buffer.from(secret.slice(0, secret.indexOf('.')), 'base64url').toString('utf8');
  if (!head.includes('"alg"') && !head.includes('"enc"')) return undefined;
  try {
    const header: unknown = JSON.parse(head);
    return typeof header === 'object' && header !== null && ('alg' in header || 'enc' in header) ? 0.95 : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The credentials of HTTP Basic are `user:password` in base64 (RFC 7617). */
export function basicCredentials(secret: string): number | undefined {
  const plain = Buffer.from(secret, 'base64').toString('latin1');
  return /^[\x20-\x7e]{0,128}:[\x20-\x7e]{1,128}$/.test(plain) ? 0.9 : undefined;
}

/** Letters and digits, both: words of prose and plain numbers are neither. */
export const mixed = (confidence: number) => (secret: string) =>
  /[0-9]/.test(secret) && /[A-Za-z]/.test(secret) ? confidence : undefined;

/** Shannon entropy in bits per character. */
export function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
