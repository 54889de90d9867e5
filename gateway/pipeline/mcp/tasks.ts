import { asString, isArray, type Json, member } from '../../domain/json.ts';
import { type Splice, spliceAll } from '../../domain/json-splice.ts';
import { RPC, RpcFault } from '../../domain/rpc-fault.ts';
import type { McpEra, RpcMessage } from '../../ports/mcp-wire.ts';
import type { Leg } from './leg.ts';
import type { Errand, Visit } from './visit.ts';

/** The task a request is about; undefined: it is about none. */
function taskIdOf({ method, doc }: RpcMessage): string | undefined {
  return method.startsWith('tasks/') ? asString(member(doc.value['params'], 'taskId')) : undefined;
}

/** What one server gave out as a task; the prefix keeps tasks and calls apart in one memory. */
const placeOf = (server: string): string => `task ${server}`;

/**
 * A server that knows only our credential would give any caller any task: only the caller whose call began one may ask about it. Throws
 * an RpcFault (-32602) for everybody else, and where nobody here began it.
 */
export function refuseForeignTask({ visit, peer }: Errand, message: RpcMessage, era: McpEra): void {
  // 2026-07-28 has neither method: results come with `tasks/get`, and nobody lists tasks
  if (era === 'modern' && (message.method === 'tasks/result' || message.method === 'tasks/list'))
    throw new RpcFault(RPC.methodNotFound, `there is no method \`${message.method}\` in this protocol version`, {
      status: 404,
    });
  const id = taskIdOf(message);
  if (id === undefined) return;
  if (visit.room.unanswered.find(visit.principalId, placeOf(peer.server.name), id)) return;
  noTask();
}

/**
 * The server whose task a request on the federated endpoint is about; undefined: it is about none. Throws an RpcFault (-32602) where no
 * call of this caller began it, or where several servers gave it the same id.
 */
export function serverOfTask({ room, principalId }: Visit, message: RpcMessage): string | undefined {
  const id = taskIdOf(message);
  if (id === undefined) return undefined;
  const servers = [...room.peers.keys()].filter((server) => room.unanswered.find(principalId, placeOf(server), id));
  if (servers.length < 2) return servers[0] ?? noTask();
  throw new RpcFault(
    RPC.invalidParams,
    `several servers have a task of this id; ask its server at \`/mcp/<server>\`: ${servers.join(', ')}`,
  );
}

function noTask(): never {
  throw new RpcFault(RPC.invalidParams, 'this task is not known here; ask for the tasks your own calls began');
}

/** The call that began the task a request is about, so that its result is judged as that tool's. */
export function callBehind({ errand: { visit }, seat }: Leg, request: RpcMessage): RpcMessage {
  const id = taskIdOf(request);
  const began = id === undefined ? undefined : visit.room.unanswered.find(visit.principalId, placeOf(seat.server), id);
  return began ?? request;
}

/** Remembers the task that a call began, and leaves the tasks of other callers out of a list. */
export function ownTasks({ errand: { visit }, seat }: Leg, request: RpcMessage, response: RpcMessage): RpcMessage {
  const { unanswered, wire, limits } = visit.room;
  const result = response.doc.value['result'];
  const place = placeOf(seat.server);
  if (request.method === 'tasks/list') {
    const tasks = member(result, 'tasks');
    const foreign = (task: Json): boolean =>
      !unanswered.find(visit.principalId, place, asString(member(task, 'taskId')) ?? '');
    const cuts: Splice[] = isArray(tasks)
      ? tasks.flatMap((task, i): Splice[] => (foreign(task) ? [{ at: `/result/tasks/${i}`, remove: true }] : []))
      : [];
    return cuts.length === 0 ? response : wire.reread(spliceAll(response.doc.text, cuts.reverse()), limits.message);
  }
  if (request.method.startsWith('tasks/')) return response;
  const isTask = member(result, 'resultType') === 'task' || member(result, 'task') !== undefined;
  const id = isTask ? asString(member(member(result, 'task') ?? result, 'taskId')) : undefined;
  if (id !== undefined) unanswered.add(visit.principalId, place, { ...request, id });
  return response;
}
