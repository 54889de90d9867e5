import { hash } from 'node:crypto';
import type { Action } from '../domain/action.ts';
import { canonical } from '../domain/canonical.ts';
import type { Json } from '../domain/json.ts';
import type { Principal } from '../domain/principal.ts';
import type { Digest } from '../domain/scalars.ts';

/** `sha256:` over UTF-8 text. */
export const digestOf = (text: string | Uint8Array): Digest => `sha256:${hash('sha256', text, 'hex')}` as Digest;

const principals = new WeakMap<Principal, string>();

/** The canonical text of who acts, worked out once per call. */
function whoText(principal: Principal): string {
  const known = principals.get(principal);
  if (known !== undefined) return known;
  const text = canonical({
    agent: principal.agent.id,
    human: principal.human?.id ?? null,
    tenant: principal.tenant.id,
  });
  principals.set(principal, text);
  return text;
}

/**
 * The identity of an action: SHA-256 over the RFC 8785 form of who does what with which arguments (actions.md 2). Never the clock
 * or a counter, so that a retry of the same action has the same one. A whole body enters by the digest of its bytes (ADR 0011).
 */
export function actionIdentity(
  { point, plane, tool, model }: Pick<Action, 'point' | 'plane' | 'tool' | 'model'>,
  principal: Principal,
  target: Json,
): Digest {
  const modelText = model ? `"model":${canonical({ name: model.name, provider: model.provider })},` : '';
  const toolText = tool ? `,"tool":${canonical({ name: tool.name, server: tool.server ?? null })}` : '';
  // INVARIANT: members in the order of RFC 8785, which sorts by name.
  return digestOf(
    `{${modelText}"plane":"${plane}","point":"${point}","principal":${whoText(principal)},"target":${canonical(target)}${toolText}}`,
  );
}

/** How a whole body enters an identity. */
export const bodyTarget = (text: string): Json => ({ sha256: hash('sha256', text, 'hex') });

/** The same, where the body's digest is known. */
export const digestTarget = (digest: Digest): Json => ({ sha256: digest.slice('sha256:'.length) });
