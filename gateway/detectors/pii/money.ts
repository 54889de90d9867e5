import { luhn, mod97 } from './checksums.ts';
import { aloneAt, context, type DigitLook, opens } from './digit-look.ts';

/** Issuer prefixes and lengths (ISO/IEC 7812; the networks' public BIN tables). */
const ISSUERS: readonly [prefix: RegExp, lengths: readonly number[]][] = [
  [/^4/, [13, 16, 19]],
  [/^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]],
  [/^3[47]/, [15]],
  [/^(?:6011|64[4-9]|65)/, [16, 19]],
  [/^35(?:2[89]|[3-8])/, [16]],
  [/^(?:30[0-5]|3095|36|3[89])/, [14]],
  [/^62/, [16, 17, 18, 19]],
  [/^(?:5018|5020|5038|5893|6304|6759|676[1-3])/, [13, 16, 19]],
  [/^220[0-4]/, [16]],
];

const CARD =
  /\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?(?!\1?\d)|3\d{3}([ -])\d{6}\2\d{4,5}(?!\2?\d)|\d{13,19}(?![ -]?\d)/y;
const CARD_WORDS =
  /card|visa|master|maestro|amex|credit|debit|karte|kredit|carte|tarjeta|carta|cart[aã]o|diners|pan\b|カード|卡/i;

/** Payment cards: grouped as printed, or bare; unusual lengths only beside a word that says so. */
export const card: DigitLook = (text, at) => {
  if (!opens(text, at)) return undefined;
  const match = aloneAt(text, at, CARD);
  if (match === undefined) return undefined;
  const digits = match[0].replace(/\D/g, '');
  const known = ISSUERS.some(([prefix, lengths]) => prefix.test(digits) && lengths.includes(digits.length));
  if (!known || !luhn(digits) || /^(\d)\1*$/.test(digits)) return undefined;
  const bare = match[0] === digits;
  if (bare && digits.length !== 16 && digits.length !== 15 && !context(text, at, CARD_WORDS)) return undefined;
  return {
    kind: 'card',
    start: at,
    end: at + match[0].length,
    confidence: bare && !context(text, at, CARD_WORDS) ? 0.9 : 1,
  };
};

/** Lengths by country (SWIFT IBAN registry, release 99). */
const IBAN_LENGTHS: Readonly<Record<string, number>> = Object.fromEntries(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 ' +
    'FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 ' +
    'LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 ' +
    'SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30'
  )
    .split(' ')
    .map((row) => [row.slice(0, 2), Number(row.slice(2))]),
);

const isUpper = (code: number): boolean => code >= 65 && code <= 90;
const isUpperOrDigit = (code: number): boolean => isUpper(code) || (code >= 48 && code <= 57);

/** IBAN, in one word or in groups of four. */
export const iban: DigitLook = (text, at, token) => {
  if (at - token !== 2 || !opens(text, token)) return undefined;
  const length = IBAN_LENGTHS[text.slice(token, at)];
  if (length === undefined) return undefined;
  let compact = '';
  let end = token;
  for (; compact.length < length; end += 1) {
    const code = text.charCodeAt(end);
    if (isUpperOrDigit(code)) compact += text.charAt(end);
    else if ((code !== 32 && code !== 160 && code !== 45) || compact.length % 4 !== 0 || compact.length === 0)
      return undefined;
  }
  if (isUpperOrDigit(text.charCodeAt(end)) || !mod97(compact)) return undefined;
  return { kind: 'iban', start: token, end, confidence: 1 };
};
