import type { ToolRef } from '../../domain/action.ts';
import { Fault } from '../../domain/fault.ts';
import type { Principal } from '../../domain/principal.ts';
import type { GateDenial } from '../denied-call.ts';
import { actionIdentity } from '../identities.ts';
import type { Trail } from '../trail.ts';

/** A denial of a tool call by the gate itself: a judged action in the receipt like one by a rule, and a Fault to be thrown. */
export function denyTool(trail: Trail, principal: Principal, tool: ToolRef, denial: GateDenial): Fault {
  const { code, rule, reason, message, retryAfterS } = denial;
  trail.record({
    point: 'pre_tool_call',
    plane: 'mcp',
    tool: tool.name,
    decision: 'deny',
    rule,
    reason,
    hits: [{ rule, decision: 'deny', reason, mode: 'enforce' }],
    input_identity: actionIdentity({ point: 'pre_tool_call', plane: 'mcp', tool }, principal, null),
  });
  return new Fault(code, message, undefined, { rule, reason, retryAfterS });
}
