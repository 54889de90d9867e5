/**
 * Whole shares of `total` in proportion to `weights`, by the largest remainder; they add up to `total` exactly. Weights are not below zero;
 * where all are zero the last share takes everything. Of equal remainders the first gets more.
 */
export function apportion(total: bigint, weights: readonly bigint[]): bigint[] {
  const sum = weights.reduce((all, weight) => all + weight, 0n);
  if (sum === 0n) return weights.map((_, i) => (i === weights.length - 1 ? total : 0n));
  const shares = weights.map((weight) => (total * weight) / sum);
  let missing = Number(total - shares.reduce((all, share) => all + share, 0n));
  const rest = (i: number): bigint => (total * (weights[i] as bigint)) % sum;
  const order = weights.map((_, i) => i).sort((a, b) => (rest(b) > rest(a) ? 1 : rest(b) < rest(a) ? -1 : a - b));
  for (const i of order) {
    if (missing <= 0) break;
    shares[i] = (shares[i] as bigint) + 1n;
    missing -= 1;
  }
  return shares;
}

/** The same of whole numbers that a double holds exactly, without a bigint where no product leaves 2⁵³. */
export function apportionCount(total: number, weights: readonly number[]): number[] {
  let sum = 0;
  let most = 0;
  for (const weight of weights) {
    sum += weight;
    if (weight > most) most = weight;
  }
  if (sum === 0) return weights.map((_, i) => (i === weights.length - 1 ? total : 0));
  if (sum * most > Number.MAX_SAFE_INTEGER) return apportion(BigInt(total), weights.map(BigInt)).map(Number);
  // total = whole · sum + part, so a share is whole · weight + part · weight / sum, and part · weight < sum · most
  const part = total % sum;
  const whole = (total - part) / sum;
  let missing = total;
  const rests: number[] = [];
  const shares: number[] = [];
  for (const weight of weights) {
    const rest = (part * weight) % sum;
    const share = whole * weight + (part * weight - rest) / sum;
    rests.push(rest);
    shares.push(share);
    missing -= share;
  }
  addToLargest(shares, rests, missing);
  return shares;
}

/** One more for the `count` shares with the largest rests; of equal rests for the first. */
function addToLargest(shares: number[], rests: readonly number[], count: number): void {
  if (count <= 0) return;
  const least = Float64Array.from(rests).sort()[rests.length - count] as number;
  let equals = count;
  for (const rest of rests) if (rest > least) equals -= 1;
  for (let i = 0; i < shares.length; i += 1) {
    const rest = rests[i] as number;
    if (rest < least || (rest === least && equals <= 0)) continue;
    if (rest === least) equals -= 1;
    shares[i] = (shares[i] as number) + 1;
  }
}
