/** Adds however many items to a list: as arguments of one `push`, some 120,000 are more than the stack holds. */
export function append<T>(list: T[], more: Iterable<T>): void {
  for (const item of more) list.push(item);
}
