import { type Nano, nano, type Pico, pico } from './scalars.ts';

const DECIMAL = /^(0|[1-9][0-9]*)(?:\.([0-9]+))?$/;

/** Reads a plain decimal (`"0.30"`) as a whole number of 10⁻ᵈⁱᵍⁱᵗˢ. Throws a RangeError on a sign, an exponent or a digit too many. */
function scaled(text: string, digits: number): bigint {
  const match = DECIMAL.exec(text);
  if (!match) throw new RangeError(`\`${text}\` is not a plain decimal such as "0.30"`);
  const fraction = match[2] ?? '';
  if (fraction.length > digits) throw new RangeError(`\`${text}\` has more than ${digits} decimals`);
  return BigInt(match[1] as string) * 10n ** BigInt(digits) + BigInt(fraction.padEnd(digits, '0') || '0');
}

/** US dollars as a decimal string → nano-dollars; at most nine decimals. */
export const usdToNano = (text: string): Nano => nano(scaled(text, 9));

/** USD per million tokens as a decimal string → picodollars per token, exactly; at most six decimals. */
export const usdPerMillionToPico = (text: string): Pico => pico(scaled(text, 6));

function decimal(amount: bigint, digits: number): string {
  const text = (amount < 0n ? -amount : amount).toString().padStart(digits + 1, '0');
  const fraction = text.slice(-digits).replace(/0+$/, '');
  return `${amount < 0n ? '-' : ''}${text.slice(0, -digits)}${fraction && `.${fraction}`}`;
}

/** Nano-dollars → a decimal string of US dollars with no trailing zeros: `0.0021`, `12`, `-0.5`. */
export const nanoToUsd = (amount: Nano): string => decimal(amount, 9);

/** Picodollars → a decimal string of US dollars with no trailing zeros. */
export const picoToUsd = (amount: Pico): string => decimal(amount, 12);

/** Nano-dollars as a double of US dollars, for conditions and displays, never for arithmetic that is kept. */
export const nanoToNumber = (amount: Nano): number => Number(amount) / 1e9;

/** Picodollars → nano-dollars, rounded up: the one rounding of a charge. */
export const picoToNano = (amount: Pico): Nano => nano(divideUp(amount, 1000n));

/** ⌈a / b⌉ for a ≥ 0, b > 0. */
export const divideUp = (a: bigint, b: bigint): bigint => (a + b - 1n) / b;
