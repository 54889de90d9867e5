import { Fault } from '../../domain/fault.ts';
import type { McpAnswer } from '../../ports/mcp-server.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';
import { drop, send } from './leg.ts';
import type { Errand } from './visit.ts';

/** What a server said to a request of which nothing is relayed as it comes. */
export interface ServerSaid {
  readonly answer: McpAnswer;
  /** undefined: its body held no message that answers the request */
  readonly response: RpcMessage | undefined;
}

/** Asks a server and reads until its answer is there; whatever else it streams meanwhile is left. Throws a Fault. */
export async function askServer(
  errand: Errand,
  request: string,
  signal: AbortSignal,
  changes: Readonly<Record<string, string>>,
): Promise<ServerSaid> {
  const { room } = errand.visit;
  const { id } = room.wire.reread(request, room.limits.request);
  const answer = await send({ errand, signal }, 'POST', new TextEncoder().encode(request), {
    accept: 'application/json, text/event-stream',
    ...changes,
  });
  try {
    return { answer, response: await firstAnswer(errand, answer, id ?? '') };
  } finally {
    await drop(answer);
  }
}

/** The message that answers `id`, out of a JSON body or a stream. */
async function firstAnswer(errand: Errand, answer: McpAnswer, id: string): Promise<RpcMessage | undefined> {
  const { room } = errand.visit;
  const type = String(answer.headers['content-type'] ?? '').toLowerCase();
  const limit = room.limits.message.bytes;
  const reader = type.startsWith('text/event-stream') ? room.wire.openEvents(limit) : undefined;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body) {
    size += chunk.length;
    if (size > limit)
      throw new Fault(
        'TG_UPSTREAM_UNREADABLE',
        `the server sent more than ${limit} bytes; raise \`mcp.limits.message_mb\``,
      );
    if (!reader) chunks.push(chunk);
    for (const { data } of reader?.push(chunk) ?? []) {
      if (data === undefined || data === '') continue;
      const message = room.wire.reread(data, room.limits.message);
      if (message.kind === 'response' && message.id === id) return message;
    }
  }
  if (reader || !type.startsWith('application/json')) return undefined;
  const message = room.wire.read(Buffer.concat(chunks), room.limits.message);
  return message.kind === 'response' && (message.id === undefined || message.id === id) ? message : undefined;
}
