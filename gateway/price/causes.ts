import { apportion, apportionCount } from '../domain/apportion.ts';
import type { Cause, Cost, Stretch, WeighedPrompt } from '../domain/pricing.ts';
import { type Nano, nano } from '../domain/scalars.ts';
import { summarize, type Usage } from '../domain/usage.ts';

/** How a token is paid for: by the call itself (output, fees), or by its place in the prompt, where caching goes by prefix. */
const OWN = 0;
const READ = 1;
const WRITE = 2;
const INPUT = 3;

function kindOf(leaf: string): number {
  if (leaf.startsWith('cache_read')) return READ;
  if (leaf.startsWith('cache_write')) return WRITE;
  return leaf.startsWith('input') || leaf === 'tool_prompt' ? INPUT : OWN;
}

/** What of the charge each kind of tokens has. */
function chargeByKind({ lines }: Cost, charged: Nano): readonly bigint[] {
  const sums = [0n, 0n, 0n, 0n];
  for (const { leaf, amount } of lines) {
    const kind = kindOf(leaf);
    sums[kind] = (sums[kind] as bigint) + amount;
  }
  return apportion(charged, sums);
}

/** A prompt by its origins; what is hidden stands behind them all. */
interface Layout {
  readonly tokens: number[];
  readonly measured: boolean[];
  /** by kind, from READ on, and origin: tokens that are paid for like that */
  readonly covered: readonly (readonly number[])[];
}

/**
 * Who caused what a call was charged (meter.md 4): every stretch of the prompt pays for its place in it, by the step that first brought it;
 * caching goes by prefix; output, fees and input that no stretch explains belong to `step` itself. The amounts add up to `charged` exactly.
 * The stretches weigh no more than the prompt.
 */
export function causesOf(
  step: number,
  { origins, stretches }: WeighedPrompt,
  usage: Usage,
  cost: Cost,
  charged: Nano,
): readonly Cause[] {
  const { cache_read, cache_write, input, output } = summarize(usage);
  const exact = usage.certainty === 'exact' && usage.estimated !== true;
  const written = cache_read + cache_write;
  const { tokens, measured, covered } = laidOut(stretches, origins.length, [cache_read, written, written + input]);
  const amounts = new Amounts(tokens.length, charged);
  const [own, ...charges] = chargeByKind(cost, charged);
  let rest = own as bigint;
  for (const [kind, amount] of charges.entries()) {
    if (amount > 0n && !amounts.pay(amount, covered[kind] as readonly number[])) rest += amount;
  }
  const causes: Cause[] = [];
  for (let i = 0; i < tokens.length; i += 1) {
    const count = tokens[i] as number;
    if (count === 0) continue;
    const by = origins[i] ?? { step, source: 'hidden' };
    const isMeasured = exact && (measured[i] as boolean);
    causes.push({ step: by.step, source: by.source, tokens: count, amount: amounts.of(i), measured: isMeasured });
  }
  if (output > 0 || rest > 0n)
    causes.push({ step, source: 'output', tokens: output, amount: nano(rest), measured: exact });
  return causes;
}

/** Lays stretches end to end from the start of the prompt; up to each border tokens are paid for otherwise. */
function laidOut(stretches: readonly Stretch[], origins: number, borders: readonly number[]): Layout {
  const none = (): number[] => new Array<number>(origins + 1).fill(0);
  const tokens = none();
  const covered = borders.map(none);
  const measured = new Array<boolean>(origins).fill(true);
  let start = 0;
  const lay = (by: number, count: number): void => {
    tokens[by] = (tokens[by] as number) + count;
    const end = start + count;
    for (let kind = 0; kind < borders.length && start < end; kind += 1) {
      const to = Math.min(end, borders[kind] as number);
      if (to <= start) continue;
      const sums = covered[kind] as number[];
      sums[by] = (sums[by] as number) + to - start;
      start = to;
    }
    start = end;
  };
  for (const { by, tokens: count, measured: isMeasured } of stretches) {
    lay(by, count);
    if (!isMeasured) measured[by] = false;
  }
  const hidden = (borders.at(-1) as number) - start;
  if (hidden > 0) lay(origins, hidden);
  return { tokens, measured: [...measured, false], covered };
}

/** What each of several has to pay, in nano-dollars; in bigints only where the whole does not fit a double. */
class Amounts {
  readonly #small: number[];
  readonly #large: bigint[] | undefined;

  constructor(count: number, whole: Nano) {
    this.#small = new Array<number>(count).fill(0);
    this.#large = whole > BigInt(Number.MAX_SAFE_INTEGER) ? new Array<bigint>(count).fill(0n) : undefined;
  }

  /** Divides by weight; false where nobody weighs anything. */
  pay(amount: bigint, weights: readonly number[]): boolean {
    if (!weights.some((weight) => weight > 0)) return false;
    const small = this.#small;
    const large = this.#large;
    if (large) {
      for (const [i, share] of apportion(amount, weights.map(BigInt)).entries())
        large[i] = (large[i] as bigint) + share;
    } else {
      const shares = apportionCount(Number(amount), weights);
      for (let i = 0; i < small.length; i += 1) small[i] = (small[i] as number) + (shares[i] as number);
    }
    return true;
  }

  of(place: number): Nano {
    return nano(this.#large ? (this.#large[place] as bigint) : BigInt(this.#small[place] as number));
  }
}
