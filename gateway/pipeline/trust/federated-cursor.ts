import { asString, isObject, type Json } from '../../domain/json.ts';
import type { EpochMs } from '../../domain/scalars.ts';
import type { Sealer } from '../../ports/sealer.ts';

/** Where each server's list goes on; a server that is not here has no further page. */
export type FederatedCursor = ReadonlyMap<string, string>;

/** The servers a cursor is for, as the sealer binds it. */
const FEDERATION = '*';

/**
 * One page of the federated endpoint holds one page of every server that has one, in the order of the configuration: a client that
 * never asks for a second page still sees the beginning of every list. The cursor is undefined after the last page.
 */
export function sealCursor(
  sealer: Sealer,
  principalId: string,
  method: string,
  next: FederatedCursor,
  expiresAt: EpochMs,
): string | undefined {
  if (next.size === 0) return undefined;
  return sealer.seal(
    'cursor',
    principalId,
    FEDERATION,
    JSON.stringify({ method, next: Object.fromEntries(next) }),
    expiresAt,
  );
}

/** Undefined for a cursor of another caller or method, or one that has expired: answered with `-32602`. */
export function openCursor(
  sealer: Sealer,
  principalId: string,
  method: string,
  token: string,
  now: EpochMs,
): FederatedCursor | undefined {
  const opened = sealer.open('cursor', principalId, FEDERATION, token, now);
  if (opened === undefined) return undefined;
  const value = JSON.parse(opened) as Json;
  if (!isObject(value) || value['method'] !== method || !isObject(value['next'])) return undefined;
  const next = new Map<string, string>();
  for (const [server, cursor] of Object.entries(value['next'])) {
    const text = asString(cursor);
    if (text !== undefined) next.set(server, text);
  }
  return next;
}
