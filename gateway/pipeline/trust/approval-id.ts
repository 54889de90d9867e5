import { hash } from 'node:crypto';
import type { PinKey } from '../../ports/pin-store.ts';

/** One line per key, for maps; no server name holds a space. */
export const keyOf = ({ server, kind, name }: PinKey): string => `${server} ${kind} ${name}`;

/** Names exactly one definition: approving by it cannot approve what the server shows a moment later. Twelve hex digits. */
export const approvalId = (key: PinKey, definitionHash: string): string =>
  hash('sha256', `${keyOf(key)}\n${definitionHash}`, 'hex').slice(0, 12);
