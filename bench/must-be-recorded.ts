/** Every call that was measured was carried, ended well and stands in the record, twice: before and after. Throws where one is missing. */
export function mustBeRecorded(note: string | undefined, calls: number): void {
  const { lines, ...ended } = JSON.parse(note ?? '{}') as { lines: number; completed?: number };
  const other = Object.keys(ended).filter((ending) => ending !== 'completed' && ending !== 'client_left');
  if (other.length > 0 || (ended.completed ?? 0) < calls || lines < 2 * calls)
    throw new Error(`the gate did not do all its work: ${calls} calls were answered, it says ${note}`);
  console.error(`bench: ${calls} calls carried; ${lines} lines of record, chain verified`);
}
