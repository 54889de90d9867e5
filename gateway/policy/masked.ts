/** What of a masked value stays readable. */
export type Keep = 'domain' | { readonly first?: number | undefined; readonly last?: number | undefined };

const SIGN = /[\p{L}\p{N}]/u;

/**
 * The value with its letters and digits as `*` and everything between them in its place, so that a card stays a card in groups of
 * four. What is kept is counted in letters and digits and is never more than half of them; `domain` keeps what follows the last `@`.
 * Masking what is masked changes nothing.
 */
export function masked(value: string, keep: Keep): string {
  if (keep === 'domain') {
    const at = value.lastIndexOf('@');
    return at === -1 ? starred(value, 0, 0) : starred(value.slice(0, at), 0, 0) + value.slice(at);
  }
  return starred(value, keep.first ?? 0, keep.last ?? 0);
}

function starred(value: string, first: number, last: number): string {
  const signs = [...value];
  // stars count too: what was masked before keeps the same places readable
  const places = signs.flatMap((sign, i) => (sign === '*' || SIGN.test(sign) ? [i] : []));
  const half = Math.floor(places.length / 2);
  const tail = Math.min(last, half);
  const head = Math.min(first, half - tail);
  const hidden = new Set(places.slice(head, places.length - tail));
  return signs.map((sign, i) => (hidden.has(i) ? '*' : sign)).join('');
}
