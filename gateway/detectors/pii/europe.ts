import { isDate, luhn, mod11And10, remainder, weighted } from './checksums.ts';
import type { IdentityRule } from './identity-rule.ts';

const two = (text: string, at: number): number => Number(text.slice(at, at + 2));
/** a day as YYMMDD, DDMMYY */
const yearFirst = (id: string): boolean => isDate(two(id, 0), two(id, 2), two(id, 4));
const dayFirst = (id: string): boolean => isDate(two(id, 4), two(id, 2), two(id, 0));

const DNI_LETTERS = 'TRWAGMYFPDXBNJZSQVHLCKE';
const dni = (id: string): boolean => DNI_LETTERS[Number(id.slice(0, 8)) % 23] === id[8];
const HETU = '0123456789ABCDEFHJKLMNPRSTUVWXY';

function nir(id: string): boolean {
  const body = id.slice(0, 13).replace('2A', '19').replace('2B', '18');
  return 97 - remainder(body, 97) === Number(id.slice(13));
}

/** Values of characters at odd places (DM 23.12.1976 n. 13814): digits, then letters. */
const CF_ODD = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
const cfValue = (char: string): number => (char >= 'A' ? char.charCodeAt(0) - 65 : Number(char));
function codiceFiscale(id: string): boolean {
  let sum = 0;
  for (let i = 0; i < 15; i += 1) sum += i % 2 === 0 ? (CF_ODD[cfValue(id[i] ?? '')] ?? 0) : cfValue(id[i] ?? '');
  return String.fromCharCode(65 + (sum % 26)) === id[15];
}

function belgian(id: string): boolean {
  const check = Number(id.slice(9));
  const dated = isDate(two(id, 0), two(id, 2) % 20 || 12, two(id, 4) || 1);
  return dated && (97 - remainder(id.slice(0, 9), 97) === check || 97 - remainder(`2${id.slice(0, 9)}`, 97) === check);
}

function pesel(id: string): boolean {
  const sum = weighted(id, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3]);
  return (10 - (sum % 10)) % 10 === Number(id[10]) && isDate(two(id, 0), two(id, 2) % 20, two(id, 4));
}

function norwegian(id: string): boolean {
  return (
    weighted(id, [3, 7, 6, 1, 8, 9, 4, 5, 2, 1]) % 11 === 0 &&
    weighted(id, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 === 0
  );
}

const NINO_NEVER = /^(?:BG|GB|NK|KN|TN|NT|ZZ)/;
const ahv = (id: string): boolean =>
  (10 - (weighted(id, [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]) % 10)) % 10 === Number(id[12]);

/** Numbers of persons in Europe, with the check each country publishes. */
export const EUROPE: readonly IdentityRule[] = [
  {
    kind: 'de_tax_id',
    pattern: /[1-9]\d( ?)\d{3}\1\d{3}\1\d{3}/y,
    valid: mod11And10,
    words: /steuer|\bidnr|\btin\b|tax.?id/i,
  },
  {
    kind: 'fr_nir',
    pattern: /[12378] ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d/y,
    valid: nir,
    words: /s[ée]curit[ée] sociale|\bnir\b|\binsee|n°? ?s[ée]cu/i,
    alone: 0.9,
  },
  { kind: 'es_dni', pattern: /\d{8}-?[A-Z]/y, valid: dni, words: /\bdni\b|\bnif\b|identidad/i, alone: 0.8 },
  {
    kind: 'es_nie',
    pattern: /[XYZ]-?\d{7}-?[A-Z]/y,
    valid: (id) => dni(String('XYZ'.indexOf(id[0] ?? '')) + id.slice(1)),
    words: /\bnie\b/i,
    alone: 0.9,
    letters: true,
  },
  {
    kind: 'it_codice_fiscale',
    pattern: /[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]/iy,
    valid: codiceFiscale,
    words: /fiscale|\bcf\b/i,
    alone: 0.98,
    letters: true,
  },
  {
    kind: 'nl_bsn',
    pattern: /\d{9}|\d{4}[. ]\d\d[. ]\d{3}/y,
    valid: (id) => weighted(id, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0 && id !== '000000000',
    words: /\bbsn\b|burgerservice|sofi/i,
  },
  {
    kind: 'be_national_number',
    pattern: /\d\d\.\d\d\.\d\d-\d{3}[.-]\d\d|\d{11}/y,
    valid: belgian,
    words: /rijksregister|registre national|\binsz|\bniss|national/i,
    alone: (written) => (written.includes('.') ? 0.95 : undefined),
  },
  { kind: 'pl_pesel', pattern: /\d{11}/y, valid: pesel, words: /pesel/i },
  {
    kind: 'se_personnummer',
    pattern: /(?:19|20)?\d{6}[-+]\d{4}|(?:19|20)?\d{10}/y,
    valid: (id) => luhn(id.replace('+', '').slice(-10)) && yearFirst(id.replace('+', '').slice(-10)),
    words: /person ?(?:nummer|nr)|\bpnr\b/i,
    alone: (written) => (/[-+]/.test(written) ? 0.8 : undefined),
  },
  {
    kind: 'fi_hetu',
    pattern: /\d{6}[-+A]\d{3}[0-9A-FHJ-NPR-Y]/y,
    valid: (id) => {
      const body = id.replace(/^(\d{6})[A+]/, '$1');
      return dayFirst(body) && HETU[Number(body.slice(0, 9)) % 31] === body[9];
    },
    words: /hetu|henkil[öo]/i,
    alone: 0.95,
  },
  {
    kind: 'dk_cpr',
    pattern: /\d{6}-?\d{4}/y,
    valid: dayFirst,
    words: /\bcpr/i,
  },
  { kind: 'no_fnr', pattern: /\d{6} ?\d{5}/y, valid: norwegian, words: /f[øo]dsels|personn|\bfnr\b/i },
  {
    kind: 'uk_nino',
    pattern: /[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]( ?)\d\d\1\d\d\1\d\d\1[A-D]/y,
    valid: (id) => !NINO_NEVER.test(id),
    words: /national insurance|\bni(?:no)?\b/i,
    alone: (written) => (written.includes(' ') ? 0.8 : undefined),
    letters: true,
  },
  {
    kind: 'uk_nhs',
    pattern: /\d{3}([ -]?)\d{3}\1\d{4}/y,
    valid: (id) => weighted(id, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]) % 11 === 0,
    words: /\bnhs\b/i,
  },
  {
    kind: 'pt_nif',
    pattern: /[1-35689]\d\d( ?)\d{3}\1\d{3}/y,
    valid: (id) => {
      const rest = 11 - (weighted(id, [9, 8, 7, 6, 5, 4, 3, 2]) % 11);
      return (rest > 9 ? 0 : rest) === Number(id[8]);
    },
    words: /\bnif\b|contribuinte/i,
  },
  {
    kind: 'ch_ahv',
    pattern: /756(\.?)\d{4}\1\d{4}\1\d\d/y,
    valid: ahv,
    words: /\bahv|\bavs\b|sozialversicherung/i,
    alone: (written) => (written.includes('.') ? 0.98 : undefined),
  },
  {
    kind: 'at_svnr',
    pattern: /[1-9]\d{3} ?\d{6}/y,
    valid: (id) => weighted(id, [3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11 === Number(id[3]),
    words: /sozialversicherung|\bsv-?nr/i,
  },
  {
    kind: 'ie_pps',
    pattern: /\d{7}[A-W][A-IW]?/y,
    valid: (id) => {
      const second = id[8] === undefined || id[8] === 'W' ? 0 : id.charCodeAt(8) - 64;
      return 'WABCDEFGHIJKLMNOPQRSTUV'[(weighted(id, [8, 7, 6, 5, 4, 3, 2]) + second * 9) % 23] === id[7];
    },
    words: /\bpps/i,
  },
  {
    kind: 'cz_birth_number',
    pattern: /\d{6}\/?\d{4}/y,
    valid: (id) => remainder(id, 11) === 0 && isDate(two(id, 0), two(id, 2) % 50, two(id, 4)),
    words: /rodn[ée]|\br\.?č/i,
  },
];
