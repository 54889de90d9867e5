import type { SecretRule, Sighting } from './rule.ts';

/** The longest block that is read, in UTF-16 units; a 16,384-bit RSA key takes about 12,800. */
const LONGEST_BLOCK = 16_000;

const HEADER = /-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----/y;
const PART_OF_HEADER = /-----BEGIN(?: [A-Z0-9 ]{0,60}-{0,5})?$/;
const SEPARATOR = String.raw`(?:\\[nr]|[\s"',])`;
const FIELDS = String.raw`(?:(?:\\[nr]|[\r\n]){1,4}[A-Z][\w-]{1,30}: [^\r\n\\]{0,100}){0,4}`;

/** The lines of a block that has no end: full ones, then at most one shorter. */
const OPEN_BODY = new RegExp(
  `${FIELDS}(?:${SEPARATOR}{1,8}[A-Za-z0-9+/=]{40,}){1,400}(?:(?:\\\\[nr]|[\\r\\n]){1,4}[A-Za-z0-9+/=]{1,80})?`,
  'y',
);
const KEY_TEXT = /[A-Za-z0-9+/]{40}/;

const headerEnd = (text: string, at: number): number => {
  HEADER.lastIndex = at;
  return HEADER.test(text) ? HEADER.lastIndex : -1;
};

/** Where the block that begins at `at` ends: behind its last line, or -1 where that has not come within the bound. */
function blockEnd(text: string, bodyStart: number, at: number): number {
  const dashes = text.indexOf('-----', bodyStart);
  if (dashes === -1 || dashes - at > LONGEST_BLOCK || !text.startsWith('-----END ', dashes)) return -1;
  const close = text.indexOf('-----', dashes + 9);
  return close === -1 || close - dashes > 80 ? -1 : close + 5;
}

function findBlock(text: string, at: number): Sighting | undefined {
  const bodyStart = headerEnd(text, at);
  if (bodyStart === -1) return undefined;
  const end = blockEnd(text, bodyStart, at);
  if (end !== -1) return KEY_TEXT.test(text.slice(bodyStart, end)) ? { start: at, end, confidence: 1 } : undefined;
  OPEN_BODY.lastIndex = bodyStart;
  const cut = OPEN_BODY.test(text) ? Math.min(OPEN_BODY.lastIndex, at + LONGEST_BLOCK) : -1;
  return cut === -1 ? undefined : { start: at, end: cut, confidence: 0.9 };
}

/** The offset of a private key block at the end of `text` that later text may complete; undefined: there is none. */
export function openBlock(text: string): number | undefined {
  const at = text.lastIndexOf('-----BEGIN');
  if (at === -1 || text.length - at > LONGEST_BLOCK) return undefined;
  const bodyStart = headerEnd(text, at);
  if (bodyStart === -1) return PART_OF_HEADER.test(text.slice(at)) ? at : undefined;
  return blockEnd(text, bodyStart, at) === -1 ? at : undefined;
}

/** PEM and OpenPGP private keys (RFC 7468, RFC 9580 section 6.2), also inside JSON strings, also where the end is missing. */
export const PRIVATE_KEY: SecretRule = {
  kind: 'private_key',
  anchors: ['-----begin'],
  reach: 'run',
  find: findBlock,
};
