import { createCipheriv, createDecipheriv, hash, hkdfSync, randomBytes } from 'node:crypto';
import type { Sealer, SealKind } from '../ports/sealer.ts';

/** Bytes of a secret that keys are derived from. */
export const SECRET_BYTES = 32;

const VERSION = 'tg1';
const KEY_ID_BYTES = 6;
const SALT_BYTES = 12;
const NONCE_BYTES = 12;
const EXPIRY_BYTES = 8;
const TAG_BYTES = 16;
const HEAD_BYTES = SALT_BYTES + NONCE_BYTES + EXPIRY_BYTES;
const TOKEN = /^tg1\.([A-Za-z0-9_-]{8})\.([A-Za-z0-9_-]+)$/;

/** Handles that were opened lately: a session's is opened with every request. */
const OPENED_KEPT = 4_096;

interface SealKey {
  readonly id: string;
  /** a key for the one handle with this salt */
  readonly handleKey: (salt: Uint8Array) => Uint8Array;
}

interface Opened {
  readonly binding: string;
  readonly value: string;
  readonly expiresAt: number;
}

const derive = (secret: Uint8Array, info: string, bytes: number): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', secret, '', `tollgate handles ${VERSION} ${info}`, bytes));

/** HMAC-SHA-256 (RFC 2104) with its two key blocks made once; `createHmac` costs five times as much. */
function hmac(key: Uint8Array): (message: Uint8Array) => Uint8Array {
  const block = (pad: number): Uint8Array => Uint8Array.from({ length: 64 }, (_, i) => (key[i] ?? 0) ^ pad);
  const [inner, outer] = [block(0x36), block(0x5c)];
  return (message) => {
    const digest = hash('sha256', Buffer.concat([inner, message]), 'buffer');
    return hash('sha256', Buffer.concat([outer, digest]), 'buffer');
  };
}

/** What a handle is bound to. JSON of an array: no two bindings have one text. */
const bindingOf = (kind: SealKind, principalId: string, upstream: string): string =>
  JSON.stringify([VERSION, kind, principalId, upstream]);

/**
 * One handle by one key: AES-256-GCM under a key for this handle alone, because random nonces would wear a single key out after 2^32
 * handles (the form of XAES-256-GCM). Layout: salt, nonce, expiry, ciphertext, tag.
 */
function sealOne(key: SealKey, binding: string, value: string, expiresAt: number): string {
  const head = randomBytes(HEAD_BYTES);
  const expiry = head.subarray(SALT_BYTES + NONCE_BYTES);
  expiry.writeBigUInt64BE(BigInt(Math.max(0, Math.ceil(expiresAt))));
  const nonce = head.subarray(SALT_BYTES, SALT_BYTES + NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key.handleKey(head.subarray(0, SALT_BYTES)), nonce);
  cipher.setAAD(Buffer.concat([expiry, Buffer.from(binding)]));
  const sealed = Buffer.concat([head, cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `${VERSION}.${key.id}.${sealed.toString('base64url')}`;
}

function openOne(key: SealKey, binding: string, text: string): Opened | undefined {
  const bytes = Buffer.from(text, 'base64url');
  // one spelling for one handle: spare bits in the last character would give it others
  if (bytes.length < HEAD_BYTES + TAG_BYTES || bytes.toString('base64url') !== text) return undefined;
  const expiry = bytes.subarray(SALT_BYTES + NONCE_BYTES, HEAD_BYTES);
  const nonce = bytes.subarray(SALT_BYTES, SALT_BYTES + NONCE_BYTES);
  const options = { authTagLength: TAG_BYTES };
  const decipher = createDecipheriv('aes-256-gcm', key.handleKey(bytes.subarray(0, SALT_BYTES)), nonce, options);
  decipher.setAAD(Buffer.concat([expiry, Buffer.from(binding)]));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    const value = decipher.update(bytes.subarray(HEAD_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
    return { binding, value, expiresAt: Number(expiry.readBigUInt64BE()) };
  } catch {
    // not sealed by us for this caller, server and purpose: GCM tells no more than that
    return undefined;
  }
}

/**
 * Seals with the first secret and opens with any of them, so that a new one can be put in front while the old handles live out. Keys are
 * derived here, once. Throws a TypeError where there is no secret, or one has other than 32 bytes.
 */
export function createSealer(secrets: readonly Uint8Array[]): Sealer {
  const keys: SealKey[] = secrets.map((secret) => {
    if (secret.length !== SECRET_BYTES) throw new TypeError(`a seal key has ${SECRET_BYTES} bytes`);
    return {
      id: Buffer.from(derive(secret, 'id', KEY_ID_BYTES)).toString('base64url'),
      handleKey: hmac(derive(secret, 'key', SECRET_BYTES)),
    };
  });
  const [first] = keys;
  if (!first) throw new TypeError('there is no seal key');
  const byId = new Map(keys.toReversed().map((one) => [one.id, one]));
  const known = new Map<string, Opened>();
  return {
    seal: (kind, principalId, upstream, value, expiresAt) =>
      sealOne(first, bindingOf(kind, principalId, upstream), value, expiresAt),
    open(kind, principalId, upstream, token, now) {
      const binding = bindingOf(kind, principalId, upstream);
      let opened = known.get(token);
      if (!opened) {
        const [, id = '', text = ''] = TOKEN.exec(token) ?? [];
        const key = byId.get(id);
        opened = key && openOne(key, binding, text);
        if (opened && kind === 'session') remember(known, token, opened);
      }
      return opened?.binding === binding && opened.expiresAt > now ? opened.value : undefined;
    },
  };
}

function remember(known: Map<string, Opened>, token: string, opened: Opened): void {
  known.set(token, opened);
  if (known.size > OPENED_KEPT) known.delete(known.keys().next().value as string);
}
