import { hash } from 'node:crypto';
import type { Action } from '../domain/action.ts';
import { canonical } from '../domain/canonical.ts';
import type { Json } from '../domain/json.ts';
import type { Principal } from '../domain/principal.ts';
import type { Digest } from '../domain/scalars.ts';

/** `sha256:` over UTF-8 text. */
export const digestOf = (text: string | Uint8Array): Digest => `sha256:${hash('sha256', text, 'hex')}` as Digest;

/**
 * The identity of an action: SHA-256 over the RFC 8785 form of who does what with which arguments (actions.md 2). Never the clock
 * or a counter, so that a retry of the same action has the same one. A whole body enters by the digest of its bytes (ADR 0014).
 */
export function actionIdentity(
  action: Pick<Action, 'point' | 'plane' | 'tool' | 'model'>,
  principal: Principal,
  target: Json,
): Digest {
  return digestOf(
    canonical({
      point: action.point,
      plane: action.plane,
      principal: { tenant: principal.tenant.id, human: principal.human?.id ?? null, agent: principal.agent.id },
      ...(action.tool && { tool: { name: action.tool.name, server: action.tool.server ?? null } }),
      ...(action.model && { model: { provider: action.model.provider, name: action.model.name } }),
      target,
    }),
  );
}

/** How a whole body enters an identity. */
export const bodyTarget = (text: string): Json => ({ sha256: hash('sha256', text, 'hex') });
