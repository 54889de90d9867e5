import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Fault } from '../../gateway/domain/fault.ts';
import { epochMs } from '../../gateway/domain/scalars.ts';
import type { KeyRecord, Keys } from '../../gateway/ports/keys.ts';

export interface OpenKeys {
  readonly keys: Keys;
  reopen(): Promise<OpenKeys>;
  close(): Promise<void>;
}

const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex');
const record = (id: string, more: Partial<KeyRecord> = {}): KeyRecord => ({
  id,
  tenant: 'acme',
  human: undefined,
  agent: 'coder',
  createdAt: epochMs(1_790_000_000_000),
  revokedAt: undefined,
  expiresAt: undefined,
  ...more,
});

/** What every store of keys does (gateway/ports/keys.ts). */
export function keysContract(name: string, open: () => Promise<OpenKeys>): void {
  describe(`keys: ${name}`, () => {
    let store: OpenKeys;
    let keys: Keys;
    beforeEach(async () => {
      store = await open();
      keys = store.keys;
    });
    afterEach(() => store.close());

    it('finds a key by its hash, with every field, also after a restart', async () => {
      const tags = ['team=red', 'pilot'];
      const full = record('key_1', { human: 'ada@example.com', expiresAt: epochMs(1_800_000_000_000), tags });
      await keys.add(hashOf('tg_one'), full);
      await keys.add(hashOf('tg_two'), record('key_2'));
      expect(await keys.find(hashOf('tg_one'))).toEqual(full);
      store = await store.reopen();
      expect(await store.keys.find(hashOf('tg_one'))).toEqual(full);
      expect(await store.keys.find(hashOf('tg_two'))).toEqual(record('key_2'));
    });

    it('finds nothing by another hash, another case or the key itself', async () => {
      await keys.add(hashOf('tg_one'), record('key_1'));
      for (const wrong of [hashOf('tg_two'), hashOf('tg_one').toUpperCase(), 'tg_one', 'key_1', '', '%']) {
        expect(await keys.find(wrong)).toBeUndefined();
      }
    });

    it('revokes once, keeps the first time, and says whether there is such a key', async () => {
      await keys.add(hashOf('tg_one'), record('key_1'));
      expect(await keys.revoke('key_1', epochMs(5))).toBe(true);
      expect(await keys.revoke('key_1', epochMs(9))).toBe(true);
      expect(await keys.revoke('key_2', epochMs(9))).toBe(false);
      expect(await keys.find(hashOf('tg_one'))).toEqual(record('key_1', { revokedAt: epochMs(5) }));
      store = await store.reopen();
      expect((await store.keys.find(hashOf('tg_one')))?.revokedAt).toBe(5);
    });

    it('lists all, oldest first, revoked ones too', async () => {
      await keys.add(hashOf('b'), record('key_b', { createdAt: epochMs(2) }));
      await keys.add(hashOf('a'), record('key_a', { createdAt: epochMs(3) }));
      await keys.add(hashOf('c'), record('key_c', { createdAt: epochMs(1) }));
      await keys.revoke('key_c', epochMs(4));
      expect((await keys.list()).map(({ id }) => id)).toEqual(['key_c', 'key_b', 'key_a']);
    });

    it('takes the same key again, and no other under its id or hash', async () => {
      await keys.add(hashOf('a'), record('key_a'));
      await keys.add(hashOf('a'), record('key_a'));
      const refused = async (hash: string, id: string) =>
        expect(await keys.add(hash, record(id)).catch((error: unknown) => (error as Fault).code)).toBe('TG_INTERNAL');
      await refused(hashOf('a'), 'key_b');
      await refused(hashOf('b'), 'key_a');
      expect(await keys.list()).toEqual([record('key_a')]);
      expect(await keys.find(hashOf('b'))).toBeUndefined();
    });

    it('answers with a Fault once it is closed', async () => {
      const other = await store.reopen();
      await other.close();
      const error = await other.keys.find(hashOf('a')).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(Fault);
      expect((error as Fault).code).toBe('TG_KEYS_UNAVAILABLE');
      store = await open();
    });
  });
}
