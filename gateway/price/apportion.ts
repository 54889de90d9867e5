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
