import { member } from '../../domain/json.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';
import type { Proposal } from '../proposals.ts';
import { callIdOf } from './name-run.ts';
import type { Visit } from './visit.ts';

/** The model's proposal that a `tools/call` carries out; undefined: no reply that passed here proposed it (attribution.md 7). */
export function proposalOf(visit: Visit, message: RpcMessage | undefined, server: string): Proposal | undefined {
  if (message?.kind !== 'request' || message.method !== 'tools/call') return undefined;
  const params = message.doc.value['params'];
  const tool = member(params, 'name');
  if (typeof tool !== 'string') return undefined;
  const execution = {
    names: namesOf(visit, server, tool),
    args: member(params, 'arguments') ?? {},
    callId: callIdOf(visit, message),
  };
  return visit.gate.proposals.find(visit.space, execution, visit.gate.clock.now());
}

/** How clients decorate a tool's name for the model: `mcp__server__tool`, `server__tool`, `server/tool` … */
function namesOf({ room }: Visit, server: string, tool: string): readonly string[] {
  const exposed = room.names.expose(server, tool);
  return [
    tool,
    `${server}__${tool}`,
    `mcp__${server}__${tool}`,
    `${server}/${tool}`,
    `${server}.${tool}`,
    `${server}_${tool}`,
    ...(exposed === undefined ? [] : [exposed, `mcp__tollgate__${exposed}`]),
  ];
}
