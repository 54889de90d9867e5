import type { Fault } from '../../domain/fault.ts';
import type { McpRoom } from './room.ts';

/** What a server hears in the place of an answer it may not have: a question to the person is declined, everything else fails. */
export function refusalForServer(room: McpRoom, method: string, id: string, fault: Fault, call: string): string {
  if (method === 'elicitation/create') return `{"jsonrpc":"2.0","id":${id},"result":{"action":"decline"}}`;
  return room.wire.say({ fault, id, asResult: false, era: 'legacy', call });
}
