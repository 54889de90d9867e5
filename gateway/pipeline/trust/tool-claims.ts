import type { ToolClaims } from '../../domain/action.ts';
import { type Json, member } from '../../domain/json.ts';

/**
 * What an approved definition's annotations admit; undefined: nothing. Only what is said outright counts, and only what makes a tool more
 * dangerous: annotations are the server's claims, so they tighten and never relax (mcp-plane.md 8).
 */
export function claimsOf(definition: Json | undefined): ToolClaims | undefined {
  const annotations = member(definition, 'annotations');
  const writes = member(annotations, 'destructiveHint') === true || member(annotations, 'readOnlyHint') === false;
  const openWorld = member(annotations, 'openWorldHint') === true;
  return writes || openWorld ? { writes, openWorld } : undefined;
}
