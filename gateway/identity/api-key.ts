import { hash } from 'node:crypto';
import { Fault } from '../domain/fault.ts';
import type { Clock } from '../ports/clock.ts';
import type { Headers } from '../ports/dialect.ts';
import type { Arrival, Caller } from '../ports/identity.ts';
import type { Keys } from '../ports/keys.ts';

export type Access = 'open' | 'keys';

/** Every gateway key begins with this, so that one sent to the wrong place is recognised. */
export const KEY_PREFIX = 'tg_';

/** Hex SHA-256 of a gateway key: the only form in which it is kept. */
export const keyHash = (key: string): string => hash('sha256', key, 'hex');

/** The first value of a header. */
export function headerValue(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

/** The gateway key a request carries, in our own header or where the dialect's clients put theirs; undefined: none. */
function presentedKey(headers: Headers, credentialHeaders: readonly string[]): string | undefined {
  for (const name of ['x-tollgate-key', ...credentialHeaders, 'authorization']) {
    const value = headerValue(headers, name)?.trim();
    const token = value?.replace(/^bearer\s+/i, '');
    if (token?.startsWith(KEY_PREFIX)) return token;
  }
  return undefined;
}

/** Finds out who calls. With open access a caller without a gateway key is the local developer. */
export function authenticator(access: Access, keys: Keys, clock: Clock) {
  return async (arrival: Arrival, credentialHeaders: readonly string[]): Promise<Caller> => {
    const key = presentedKey(arrival.headers, credentialHeaders);
    if (key === undefined) {
      if (access === 'keys')
        throw new Fault(
          'TG_NO_KEY',
          'no gateway key: send one (`tg_…`) where the provider key goes; `tollgate keys create` makes one',
        );
      return { tenant: { id: 'local', source: 'open access', assurance: 'keyed' }, ownsGatewayKey: false };
    }
    const record = await keys.find(keyHash(key));
    if (!record)
      throw new Fault(
        'TG_BAD_KEY',
        'this gateway key is not known here; ask its issuer or make one with `tollgate keys create`',
      );
    if (record.revokedAt !== undefined) throw new Fault('TG_BAD_KEY', `gateway key \`${record.id}\` was revoked`);
    if (record.expiresAt !== undefined && record.expiresAt <= clock.now())
      throw new Fault('TG_BAD_KEY', `gateway key \`${record.id}\` has expired`);
    return {
      tenant: { id: record.tenant, source: 'key', assurance: 'keyed' },
      ...(record.human !== undefined && { human: { id: record.human, source: 'key', assurance: 'keyed' as const } }),
      agent: { id: record.agent, source: 'key', assurance: 'keyed' },
      key: record.id,
      ...(record.tags !== undefined && { tags: record.tags }),
      ownsGatewayKey: true,
    };
  };
}
