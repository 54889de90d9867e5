import { aloneAt, type DigitLook, opens } from './digit-look.ts';

/** Country code → fewest and most digits behind it (ITU-T E.164 national plans; rough where a plan is open). */
const PLANS: ReadonlyMap<string, readonly [number, number]> = new Map(
  (
    '1:10-10 7:10-10 20:8-10 27:9-9 30:10-10 31:9-9 32:8-9 33:9-9 34:9-9 36:8-9 39:8-11 40:9-9 41:9-9 43:7-13 44:9-10 45:8-8 46:7-10 ' +
    '47:8-8 48:9-9 49:7-13 51:8-9 52:10-10 53:8-8 54:10-11 55:10-11 56:9-9 57:8-10 58:10-10 60:8-10 61:9-9 62:8-12 63:8-10 64:8-10 ' +
    '65:8-8 66:8-9 81:9-10 82:8-10 84:9-10 86:9-11 90:10-10 91:10-10 92:9-10 93:9-9 94:9-9 95:7-10 98:10-10 212:9-9 213:8-9 216:8-8 ' +
    '218:8-9 220:7-7 221:9-9 225:10-10 227:8-8 228:8-8 229:8-10 230:7-8 233:9-9 234:8-10 237:8-9 243:9-9 244:9-9 249:9-9 250:9-9 ' +
    '251:9-9 254:9-9 255:9-9 256:9-9 260:9-9 263:9-9 264:8-9 351:9-9 352:6-9 353:7-9 354:7-7 355:8-9 356:8-8 357:8-8 358:6-11 359:7-9 ' +
    '370:8-8 371:8-8 372:7-8 373:8-8 374:8-8 375:9-9 376:6-9 377:8-9 380:9-9 381:8-9 382:8-8 383:8-8 385:8-9 386:8-8 387:8-8 389:8-8 ' +
    '420:9-9 421:9-9 423:7-9 502:8-8 503:8-8 504:8-8 505:8-8 506:8-8 507:7-8 591:8-8 593:8-9 595:9-9 598:8-8 673:7-7 852:8-8 853:8-8 ' +
    '855:8-9 856:8-10 880:8-10 886:8-9 960:7-7 961:7-8 962:8-9 963:8-9 964:8-10 965:8-8 966:8-9 967:7-9 968:8-8 970:8-9 971:8-9 972:8-9 ' +
    '973:8-8 974:8-8 975:7-8 976:8-8 977:8-10 992:9-9 993:8-8 994:9-9 995:9-9 996:9-9 998:9-9'
  )
    .split(' ')
    .map((row) => {
      const [code = '', range = ''] = row.split(':');
      const [least, most] = range.split('-').map(Number);
      return [code, [least ?? 0, most ?? 0]] as const;
    }),
);

function fitsPlan(digits: string): boolean {
  for (const length of [1, 2, 3]) {
    const plan = PLANS.get(digits.slice(0, length));
    if (plan !== undefined) return digits.length - length >= plan[0] && digits.length - length <= plan[1];
  }
  return false;
}

const GROUPED = /\d{1,15}(?:(?: ?\(0\) ?| ?\(\d{1,5}\) ?| ?[-./] ?| |\u00a0|\u2011)\d{1,12}){0,7}/y;

/** `+49 30 901820`: the longest stretch of whole groups that fits the country's plan. */
function international(text: string, at: number): ReturnType<DigitLook> {
  const before = text.charAt(at - 2);
  if (before !== '' && /[\w+.]/.test(before)) return undefined;
  GROUPED.lastIndex = at;
  let written = GROUPED.exec(text)?.[0] ?? '';
  while (written !== '') {
    const next = text.charAt(at + written.length);
    const digits = written.replace('(0)', '').replace(/\D/g, '');
    if (!/\w/.test(next) && fitsPlan(digits)) {
      return { kind: 'phone', start: at - 1, end: at + written.length, confidence: 0.9 };
    }
    const shorter = written.replace(/\D+\d+$/, '');
    if (shorter === written) return undefined;
    written = shorter;
  }
  return undefined;
}

/** National ways of writing that are telling by themselves: North America, France, United Kingdom, Japan. */
const NATIONAL: readonly [pattern: RegExp, confidence: number][] = [
  [/[2-9]\d\d\) ?[2-9]\d\d[ .-]\d{4}/y, 0.85],
  [/[2-9]\d\d([.-])[2-9]\d\d\1\d{4}/y, 0.75],
  [/0[1-9]([ .-])\d\d\1\d\d\1\d\d\1\d\d/y, 0.8],
  [/07\d{3} \d{6}|02\d \d{4} \d{4}|01\d{3} \d{6}|01\d\d \d{3} \d{4}/y, 0.7],
  [/0(?:\d-\d{4}|\d\d-\d{3,4}|\d{3}-\d\d)-\d{4}/y, 0.7],
];

/** Behind such a word, any plausible number is a telephone's. */
export const PHONE_WORDS =
  /(?:\btel|phone|\bmobil|\bhandy|\bfax|whats ?app|m[óo]vil|\bportable|celular|telefon|telefoon|電話|电话|тел|전화)[^\d\n]{0,12}$/i;
const BESIDE_WORD = /\d{2,15}(?:\)? ?[-./ ]? ?\d{2,8}){0,4}/y;

/** Telephone numbers: international by their country's plan; national in a telling form or behind a word that says so. */
export const phone: DigitLook = (text, at) => {
  if (text.charCodeAt(at - 1) === 43) return international(text, at);
  const bracket = text.charCodeAt(at - 1) === 40;
  const start = bracket ? at - 1 : at;
  if (!opens(text, start)) return undefined;
  for (const [pattern, confidence] of NATIONAL) {
    const match = aloneAt(text, at, pattern);
    if (match !== undefined && bracket === match[0].includes(')'))
      return { kind: 'phone', start, end: at + match[0].length, confidence };
  }
  if (!PHONE_WORDS.test(text.slice(Math.max(0, start - 32), start))) return undefined;
  const match = aloneAt(text, at, BESIDE_WORD);
  const digits = match?.[0].replace(/\D/g, '') ?? '';
  if (match === undefined || digits.length < 7 || digits.length > 15) return undefined;
  return { kind: 'phone', start, end: at + match[0].length, confidence: 0.7 };
};
