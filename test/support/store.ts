import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { SealEntry } from '../../gateway/domain/receipt.ts';

/** The store of a gate as it is once the commits that calls share have been made. */
export async function readStore<T>(gate: { readonly folder: string }, read: (db: DatabaseSync) => T): Promise<T> {
  await new Promise((resolve) => setTimeout(resolve, 300));
  const db = new DatabaseSync(join(gate.folder, 'data', 'tollgate.db'), { readOnly: true });
  try {
    return read(db);
  } finally {
    db.close();
  }
}

/** The receipts that the index holds, in the order of the record. */
export const receiptsOf = (gate: { readonly folder: string }): Promise<SealEntry[]> =>
  readStore(gate, (db) =>
    db
      .prepare('SELECT json FROM calls ORDER BY seq')
      .all()
      .map(({ json }) => JSON.parse(json as string)),
  );
