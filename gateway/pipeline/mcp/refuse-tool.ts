import type { ToolRef } from '../../domain/action.ts';
import type { Fault } from '../../domain/fault.ts';
import type { Principal } from '../../domain/principal.ts';
import { RPC, RpcFault } from '../../domain/rpc-fault.ts';
import type { Standing } from '../../ports/pins.ts';
import type { Trail } from '../trail.ts';
import { denyTool } from './deny-tool.ts';
import type { Seat } from './judge-message.ts';
import { whyNever } from './may-use.ts';

/** Only what somebody approved may be called. Throws a Fault; a name that no list of its server shows is unknown (-32602). */
export function refuseUnapproved(
  trail: Trail,
  principal: Principal,
  tool: ToolRef,
  standing: Standing | undefined,
): void {
  if (!standing || standing.state === 'approved') return;
  const denied = (reason: string, why: string): Fault =>
    denyTool(trail, principal, tool, {
      code: 'TG_POLICY_DENIED',
      rule: `pins/${standing.state}`,
      reason,
      message: `tollgate denied the call of tool \`${tool.name}\`: ${why}`,
    });
  if (standing.state === 'unknown') {
    const { message, code, rule, reason } = denied(
      'unknown_tool',
      'no list of its server shows it; ask for the list and use one of those',
    );
    throw new RpcFault(RPC.invalidParams, message, { code, status: 200, rule, reason });
  }
  throw denied(
    standing.state === 'quarantined' ? 'tool_changed' : 'tool_not_approved',
    `${standing.why}; an operator can approve it with \`tollgate mcp pins approve ${standing.approval}\``,
  );
}

/** What a `hide` takes out of every list is not called either: a rule that denies speaks for itself. */
export function refuseHidden(seat: Seat, principal: Principal, tool: ToolRef): void {
  const never = whyNever(seat, tool.name, seat.tool?.claims);
  if (never?.by !== 'hidden') return;
  const rule = never.rule ?? 'hidden';
  throw denyTool(seat.trail, principal, tool, {
    code: 'TG_POLICY_DENIED',
    rule,
    reason: never.reason ?? 'hidden_tool',
    message: `tollgate denied the call of tool \`${tool.name}\`: rule \`${rule}\` hides it${never.message === undefined ? '' : `: ${never.message}`}`,
  });
}
