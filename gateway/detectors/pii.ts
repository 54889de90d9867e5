import type { Finding } from '../domain/finding.ts';
import type { Detector } from '../ports/detector.ts';
import { withoutOverlap } from './_shared/without-overlap.ts';
import { address, BIRTH_WORDS, birth, ip, STREET_WORDS } from './pii/address.ts';
import type { DigitLook, Sighting } from './pii/digit-look.ts';
import { emails } from './pii/email.ts';
import { EUROPE } from './pii/europe.ts';
import { identityLook } from './pii/identity-rule.ts';
import { card, iban } from './pii/money.ts';
import { PHONE_WORDS, phone } from './pii/phone.ts';
import { WORLD } from './pii/world.ts';

const IDENTITIES = [...EUROPE, ...WORLD];
const LETTERS_FIRST: readonly DigitLook[] = [iban, ...IDENTITIES.filter((rule) => rule.letters).map(identityLook)];
const DIGITS_FIRST: readonly DigitLook[] = [
  card,
  ...IDENTITIES.filter((rule) => !rule.letters).map(identityLook),
  ip,
  birth,
  phone,
  address,
];
const KINDS = [
  'address',
  'card',
  'date_of_birth',
  'email',
  'iban',
  'ip',
  'phone',
  ...IDENTITIES.map(({ kind }) => kind),
].sort();

const LOOK_BEHIND = 384;
const CONTEXT_REACH = 64;
const NUMBER_REACH = 96;
const MOST_LETTERS_BEFORE = 6;

/** What may still be waiting for its number. */
const AWAITING = new RegExp(
  [
    BIRTH_WORDS,
    STREET_WORDS,
    /card|karte|carte|tarjeta|diners|maestro|\bip\b|client|remote/,
    ...IDENTITIES.map(({ words }) => words),
  ]
    .map(({ source }) => source)
    .concat(PHONE_WORDS.source.replace(/\[\^.*$/, ''))
    .join('|'),
  'i',
);

const isDigit = (code: number): boolean => code >= 48 && code <= 57;
const isLetter = (code: number): boolean => (code >= 65 && code <= 90) || (code >= 97 && code <= 122);

/** Where the letters that lead to the digits at `at` begin: `DE` of `DE89`, `AB ` of `AB 12 34 56 C`. */
function tokenStart(text: string, at: number): number {
  let start = at;
  while (start > 0 && at - start < MOST_LETTERS_BEFORE && isLetter(text.charCodeAt(start - 1))) start -= 1;
  if (start < at || text.charCodeAt(at - 1) !== 32) return start;
  return /(?:^|[^\w])[A-Z]{2} $/.test(text.slice(Math.max(0, at - 4), at)) ? at - 3 : at;
}

function best(looks: readonly DigitLook[], text: string, at: number, token: number): Sighting | undefined {
  let sure: Sighting | undefined;
  for (const look of looks) {
    const sighting = look(text, at, token);
    if (sighting !== undefined && sighting.confidence > (sure?.confidence ?? 0)) sure = sighting;
  }
  return sure;
}

function numbers(text: string, onSighting: (sighting: Sighting) => void): void {
  for (let at = 0; at < text.length; at += 1) {
    if (!isDigit(text.charCodeAt(at))) continue;
    const token = tokenStart(text, at);
    const sighting =
      (token < at ? best(LETTERS_FIRST, text, at, token) : undefined) ?? best(DIGITS_FIRST, text, at, at);
    if (sighting !== undefined) {
      onSighting(sighting);
      at = Math.max(at, sighting.end - 1);
    }
    while (isDigit(text.charCodeAt(at + 1))) at += 1;
  }
}

function scan(text: string): readonly Finding[] {
  const findings: Finding[] = [];
  const add = ({ kind, start, end, confidence }: Sighting): void => {
    findings.push({ kind: `pii.${kind}`, start, end, confidence });
  };
  emails(text, add);
  numbers(text, add);
  return withoutOverlap(findings);
}

/** Back to the beginning of the word at `at`, no further than `least`. */
function wordStart(text: string, at: number, least: number): number {
  let start = at;
  while (start > least && text.charCodeAt(start - 1) > 32) start -= 1;
  return start;
}

function holdFrom(text: string): number {
  const least = Math.max(0, text.length - LOOK_BEHIND);
  const near = Math.max(least, text.length - NUMBER_REACH);
  let hold = wordStart(text, text.length, least);
  if (!text.endsWith('\n')) {
    for (let words = 0; words < 4 && hold > near && text.charAt(hold - 1) !== '\n'; words += 1)
      hold = wordStart(text, hold - 1, least);
  }
  const digit = text.slice(near).search(/\d/);
  if (digit !== -1) hold = Math.min(hold, wordStart(text, Math.max(least, near + digit - CONTEXT_REACH), least));
  const waiting = AWAITING.exec(text.slice(near));
  if (waiting !== null) hold = Math.min(hold, wordStart(text, near + waiting.index, least));
  return contextOf(text, Math.max(least, hold), least);
}

/** Back over the words that what stands behind `hold` is known by: released, they would not be there to tell. */
function contextOf(text: string, hold: number, least: number): number {
  let start = hold;
  for (;;) {
    const from = Math.max(least, start - CONTEXT_REACH);
    const word = AWAITING.exec(text.slice(from, start));
    if (word === null) return start;
    const before = wordStart(text, from + word.index, least);
    if (before >= start) return start;
    start = before;
  }
}

/** What tells who somebody is, by form and checksum. Forms that many other numbers share count only beside a word that names them. */
export const pii: Detector = {
  name: 'pii',
  kinds: KINDS.map((kind) => `pii.${kind}`),
  scan,
  holdFrom,
  lookBehind: LOOK_BEHIND,
};
