import { type Pico, pico } from '../../domain/scalars.ts';

const DECIMAL = /^(-?)([0-9]+)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,3}))?$/;
const DIGITS = 12;

/** US dollars as an export writes them (many decimals, an exponent, a sign) → picodollars, rounded to the nearest. Throws a SyntaxError. */
export function dollars(text: string): Pico {
  const match = DECIMAL.exec(text.replace(/^\$/, ''));
  if (match === null) throw new SyntaxError(`\`${text}\` is no amount in US dollars`);
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  const shift = DIGITS - fraction.length + Number(exponent);
  const digits = BigInt(whole + fraction);
  const scaled =
    shift >= 0 ? digits * 10n ** BigInt(shift) : (digits * 2n + 10n ** BigInt(-shift)) / (2n * 10n ** BigInt(-shift));
  return pico(sign === '-' ? -scaled : scaled);
}

/** A count as an export writes it (`1200`, `3.0`, `1,200`, nothing). Throws a SyntaxError. */
export function countOf(text: string): number {
  if (text === '') return 0;
  const value = Number(text.replaceAll(',', ''));
  if (!Number.isSafeInteger(value) || value < 0) throw new SyntaxError(`\`${text}\` is no count`);
  return value;
}

/** What the rounding of a written amount can hide: half of its last place, where it has few decimals. In picodollars. */
export function roundingOf(text: string): bigint {
  const decimals = /^-?\$?[0-9]+(?:\.([0-9]*))?$/.exec(text)?.[1]?.length ?? 0;
  return decimals > 6 || /e/i.test(text) ? 0n : 5n * 10n ** BigInt(DIGITS - 1 - decimals);
}
