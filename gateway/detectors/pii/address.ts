import { isIPv6 } from 'node:net';
import { isDate } from './checksums.ts';
import { aloneAt, closes, context, type DigitLook, opens } from './digit-look.ts';

const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const IPV4 = new RegExp(`${OCTET}\\.${OCTET}\\.${OCTET}\\.${OCTET}(?![\\d.]*\\d)`, 'y');
const IPV6 = /[23][0-9a-f]{3}(?::[0-9a-f]{0,4}){2,7}/iy;
const VERSION = /(?:version|ver\.?|\bv|release|build|\brev\.?|section|chapter|table|§|[=@^~]|[\w)]\/)\s?$/i;
const IP_WORDS = /\bip|addr|host|from|client|peer|server|remote|connect/i;
const RESOLVERS =
  /^(?:2606:4700:4700::1[01]{3}|2001:4860:4860::88[48]{2}|2620:fe::|1\.1\.1\.1|1\.0\.0\.1|8\.8\.[48]\.[48]|9\.9\.9\.\d+|208\.67\.22[02]\.22[02])$/;

/** RFC 6890: not an address of anybody on the Internet. Documentation ranges count as addresses. */
const special = (a: number, b: number): boolean =>
  a === 0 ||
  a === 10 ||
  a === 127 ||
  a >= 224 ||
  (a === 100 && b >= 64 && b < 128) ||
  (a === 169 && b === 254) ||
  (a === 172 && b >= 16 && b < 32) ||
  (a === 192 && b === 168);

/** Public IP addresses; what may as well be a version is one only beside a word that says so. */
export const ip: DigitLook = (text, at) => {
  if (!opens(text, at)) return undefined;
  const match = aloneAt(text, at, IPV4);
  if (match === undefined) return ipv6(text, at);
  const octets = match[0].split('.').map(Number);
  const [a = 0, b = 0] = octets;
  if (special(a, b) || RESOLVERS.test(match[0]) || VERSION.test(text.slice(Math.max(0, at - 12), at))) return undefined;
  const clear = context(text, at, IP_WORDS);
  if (!clear && octets.every((octet) => octet < 32)) return undefined;
  return { kind: 'ip', start: at, end: at + match[0].length, confidence: clear ? 0.9 : 0.8 };
};

function ipv6(text: string, at: number): ReturnType<DigitLook> {
  if (text.charCodeAt(at - 1) === 58) return undefined;
  IPV6.lastIndex = at;
  const written = IPV6.exec(text)?.[0].replace(/(?<!:):$/, '') ?? '';
  return isIPv6(written) && !RESOLVERS.test(written) && closes(text, at + written.length)
    ? { kind: 'ip', start: at, end: at + written.length, confidence: 0.9 }
    : undefined;
}

const MONTHS =
  '(?:jan|feb|mar|apr|may|mai|maj|jun|jul|aug|sep|oct|okt|nov|dec|dez|janv|févr|mars|avr|juin|juil|août|ene|abr|ago|dic|gen|mag|giu|lug|set|ott|out|fev)[a-zéûäç]{0,8}';
const DAYS: readonly RegExp[] = [
  /(?<y>(?:19|20)\d\d)([-/.])(?<m>\d\d?)\2(?<d>\d\d?)/y,
  /(?<d>\d\d?)([-/.]) ?(?<m>\d\d?)\2 ?(?<y>(?:19|20)\d\d)/y,
  /(?<y>(?:19|20)\d\d)年(?<m>\d\d?)月(?<d>\d\d?)日/y,
  new RegExp(`(?<d>\\d\\d?)(?:st|nd|rd|th|er|\\.|º)?(?: de)? ${MONTHS}\\.?,?(?: de)? (?<y>(?:19|20)\\d\\d)`, 'iy'),
  /(?<d>\d\d?)(?:st|nd|rd|th)?,? (?<y>(?:19|20)\d\d)/y,
];
const MONTH_BEFORE = new RegExp(`(?<![\\p{L}])${MONTHS}\\.? $`, 'iu');

export const BIRTH_WORDS =
  /\bborn|birth|\bdob\b|d\.o\.b|geboren|geb\.|geburts|\bn[ée]e? le|naissance|nacid[oa]|nacimiento|\bnat[oa] il|nascit|nascid|nascimento|geboorte|urodz|född|født|рожд|生年月日|出生|생년월일/i;

/** A day behind words that say it is one of birth. */
export const birth: DigitLook = (text, at) => {
  if (!opens(text, at) || !context(text, at, BIRTH_WORDS)) return undefined;
  for (const [i, pattern] of DAYS.entries()) {
    const match = aloneAt(text, at, pattern);
    if (match === undefined) continue;
    const { y = '', m = '1', d = '1' } = match.groups ?? {};
    const [first, second] = [Number(m), Number(d)];
    if (!isDate(Number(y), first, second) && !isDate(Number(y), second, first)) continue;
    const month = i === DAYS.length - 1 ? MONTH_BEFORE.exec(text.slice(Math.max(0, at - 14), at)) : null;
    if (i === DAYS.length - 1 && month === null) continue;
    return { kind: 'date_of_birth', start: at - (month?.[0].length ?? 0), end: at + match[0].length, confidence: 0.9 };
  }
  return undefined;
};

const ENGLISH =
  /\d{1,5}[A-Za-z]?,? (?:[A-Z][\w'.-]{0,20} ){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Terrace|Way|Highway|Hwy|Parkway|Pkwy|Close|Crescent)\b\.?(?: (?:NW|NE|SW|SE)\b)?/y;
const FRENCH =
  /\d{1,4}(?: ?(?:bis|ter))?,? (?:rue|avenue|boulevard|place|chemin|all[ée]e|impasse|quai|cours)(?: (?:de|du|des|la|le|les)){0,2} (?:l['’]|d['’])?[A-ZÉÈ][\p{L}'’-]{1,30}(?: [A-ZÉÈ][\p{L}'’-]{1,30})?/uy;
const NUMBER_LAST =
  /(?:[A-ZÄÖÜ][\p{L}-]{2,30}(?:stra(?:ß|ss)e|str\.|allee|(?<!Arbeits|Park|Stell|Sitz|Lager|Speicher|Steck)platz|weg|gasse|damm|straat|laan|gracht|plein|gatan|vägen|utca)|(?:[\p{L}.-]{3,20} )?(?:Straße|Strasse|Allee)|(?:Calle|Avenida|Avda?\.|Plaza|Paseo|Rua|Via|Viale|Corso|Piazza|Largo|ul\.|ulica|улица|ул\.)(?: (?:de|del|della|dei|la|las|los|do|da|dos)){0,2} \p{Lu}[\p{L}'’-]{1,30}(?: \p{Lu}[\p{L}'’-]{1,30})?),? (?:n[.º°] ?)?$/u;
export const STREET_WORDS =
  /stra(?:ß|ss)e|str\.|allee|platz|weg\b|gasse|ufer|damm|straat|laan\b|gracht|plein|gatan|calle |avenida|plaza |rua |via |viale |corso |piazza |\bul\. |ulica|улица/i;

/** Where somebody lives: a street with its number. A hint only. */
export const address: DigitLook = (text, at) => {
  if (!opens(text, at)) return undefined;
  for (const pattern of [ENGLISH, FRENCH]) {
    const match = aloneAt(text, at, pattern);
    if (match !== undefined) return { kind: 'address', start: at, end: at + match[0].length, confidence: 0.6 };
  }
  if (text.charCodeAt(at - 1) !== 32) return undefined;
  const match = aloneAt(text, at, /\d{1,4}[a-z]?/y);
  if (match === undefined || /^(?:19|20)\d\d$/.test(match[0])) return undefined;
  const street = NUMBER_LAST.exec(text.slice(Math.max(0, at - 72), at));
  return street === null
    ? undefined
    : { kind: 'address', start: at - street[0].length, end: at + match[0].length, confidence: 0.5 };
};
