import type { ToolClaims, ToolRef } from '../../domain/action.ts';
import type { ToolStanding } from '../../policy/judge.ts';
import type { Seat } from './judge-message.ts';

/** Why this caller can call a tool with no arguments whatever; undefined: it may with some (mcp-plane.md 8). */
export function whyNever({ bench, room, server }: Seat, name: string, claims?: ToolClaims): ToolStanding | undefined {
  const { gate, facts } = bench;
  const { now, agent, human, tenant, delegation } = facts;
  const tool: ToolRef = { name, server, pinned: true, claims };
  const exposed = room.names.expose(server, name);
  const names = exposed === undefined ? [] : [exposed];
  return gate.judge.standing({ now, agent, human, tenant, delegation, tool, names });
}
