/** The largest of some amounts; undefined where there is none. */
export function dearest(amounts: readonly bigint[]): bigint | undefined {
  let most: bigint | undefined;
  for (const amount of amounts) if (most === undefined || amount > most) most = amount;
  return most;
}
