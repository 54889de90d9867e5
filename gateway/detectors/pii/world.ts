import { isDate, luhn, verhoeff, weighted } from './checksums.ts';
import type { IdentityRule } from './identity-rule.ts';

const two = (text: string, at: number): number => Number(text.slice(at, at + 2));

function cpf(id: string): boolean {
  if (/^(\d)\1*$/.test(id)) return false;
  const check = (length: number): number => {
    const rest =
      (weighted(
        id,
        Array.from({ length }, (_, i) => length + 1 - i),
      ) *
        10) %
      11;
    return rest % 10;
  };
  return check(9) === Number(id[9]) && check(10) === Number(id[10]);
}

const CN_WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CURP = '0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ';

function curp(id: string): boolean {
  let sum = 0;
  for (let i = 0; i < 17; i += 1) sum += CURP.indexOf(id[i] ?? '') * (18 - i);
  return (10 - (sum % 10)) % 10 === Number(id[17]);
}

function kimlik(id: string): boolean {
  const odd = weighted(id, [1, 0, 1, 0, 1, 0, 1, 0, 1]);
  const even = weighted(id, [0, 1, 0, 1, 0, 1, 0, 1]);
  const tenth = (((odd * 7 - even) % 10) + 10) % 10;
  return tenth === Number(id[9]) && weighted(id, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]) % 10 === Number(id[10]);
}

function nric(id: string): boolean {
  const sum = weighted(id.slice(1), [2, 7, 6, 5, 4, 3, 2]) + ('TG'.includes(id[0] ?? '') ? 4 : 0);
  return ('ST'.includes(id[0] ?? '') ? 'JZIHGFEDCBA' : 'XWUTRQPNMLK')[sum % 11] === id[8];
}

function myNumber(id: string): boolean {
  const rest = weighted(id, [6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
  return (rest <= 1 ? 0 : 11 - rest) === Number(id[11]);
}

const ssn = (id: string): boolean =>
  !/^(?:000|666|9)/.test(id) && !/^\d{3}00/.test(id) && !id.endsWith('0000') && id !== '078051120';

/** Numbers of persons outside Europe, with the check each country publishes. */
export const WORLD: readonly IdentityRule[] = [
  {
    kind: 'ssn_us',
    pattern: /\d{3}([- ])\d\d\1\d{4}|\d{9}/y,
    valid: ssn,
    words: /\bssn|social.?security/i,
    alone: (written) => (written.includes('-') ? 0.8 : undefined),
  },
  {
    kind: 'br_cpf',
    pattern: /\d{3}\.\d{3}\.\d{3}-\d\d|\d{11}/y,
    valid: cpf,
    words: /\bcpf\b/i,
    alone: (written) => (written.includes('.') ? 0.98 : undefined),
  },
  { kind: 'in_aadhaar', pattern: /[2-9]\d{3}([ -]?)\d{4}\1\d{4}/y, valid: verhoeff, words: /aadhaa?r|uidai|आधार/i },
  {
    kind: 'cn_resident_id',
    pattern: /[1-8]\d{5}(?:19|20)\d{9}[\dXx]/y,
    valid: (id) =>
      '10X98765432'[weighted(id, CN_WEIGHTS) % 11] === id[17] &&
      isDate(Number(id.slice(6, 10)), two(id, 10), two(id, 12)),
    words: /身份证|resident id|公民/i,
    alone: 0.95,
  },
  {
    kind: 'ca_sin',
    pattern: /[1-79]\d\d([ -]?)\d{3}\1\d{3}|0\d\d([ -]?)\d{3}\2\d{3}/y,
    valid: luhn,
    words: /\bsin\b|social insurance|assurance sociale/i,
  },
  {
    kind: 'au_tfn',
    pattern: /\d{3}( ?)\d{3}\1\d{3}/y,
    valid: (id) => weighted(id, [1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 === 0,
    words: /\btfn\b|tax file/i,
  },
  { kind: 'tr_kimlik', pattern: /[1-9]\d{10}/y, valid: kimlik, words: /kimlik|\bt\.?c\.? ?no/i },
  {
    kind: 'mx_curp',
    pattern: /[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z\d]\d/y,
    valid: curp,
    words: /\bcurp\b/i,
    alone: 0.98,
    letters: true,
  },
  {
    kind: 'za_id',
    pattern: /\d{13}/y,
    valid: (id) => luhn(id) && isDate(two(id, 0), two(id, 2), two(id, 4)) && /^\d{10}[01]/.test(id),
    words: /south africa|\brsa\b|\bid.?(?:no|number|nr)|identity/i,
  },
  {
    kind: 'sg_nric',
    pattern: /[STFG]\d{7}[A-Z]/y,
    valid: nric,
    words: /\bnric\b|\bfin\b/i,
    alone: 0.85,
    letters: true,
  },
  {
    kind: 'jp_my_number',
    pattern: /\d{4}([ -]?)\d{4}\1\d{4}/y,
    valid: myNumber,
    words: /マイナンバー|個人番号|my.?number/i,
  },
  {
    kind: 'kr_rrn',
    pattern: /\d{6}-[1-8]\d{6}/y,
    valid: (id) => isDate(two(id, 0), two(id, 2), two(id, 4)),
    words: /주민|\brrn\b/i,
    alone: 0.7,
  },
];
