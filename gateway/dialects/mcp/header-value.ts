const SENTINEL = /^=\?base64\?(.*)\?=$/s;
const CANONICAL = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** visible ASCII with single outer characters that are not spaces */
const PLAIN = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** What a header of MCP 2026-07-28 says; undefined where its base64 form is not canonical or no UTF-8 (SEP-2243). */
export function decodeHeader(value: string): string | undefined {
  const packed = SENTINEL.exec(value)?.[1];
  if (packed === undefined) return value;
  if (!CANONICAL.test(packed)) return undefined;
  const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
  if (toBase64(bytes) !== packed) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // no UTF-8: it says nothing
    return undefined;
  }
}

/** The same the other way: plain where it can be, packed for non-ASCII, control characters, outer spaces and look-alikes. */
export function encodeHeader(text: string): string {
  if (PLAIN.test(text) && !text.startsWith('=?base64?')) return text;
  return `=?base64?${toBase64(new TextEncoder().encode(text))}?=`;
}

function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
