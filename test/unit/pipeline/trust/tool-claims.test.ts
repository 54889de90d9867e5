import { expect, it } from 'vitest';
import { claimsOf } from '../../../../gateway/pipeline/trust/tool-claims.ts';

it.each([
  [{}, undefined],
  [{ annotations: {} }, undefined],
  [{ annotations: { readOnlyHint: true, destructiveHint: false, openWorldHint: false } }, undefined],
  [{ annotations: { readOnlyHint: false } }, { writes: true, openWorld: false }],
  [{ annotations: { destructiveHint: true } }, { writes: true, openWorld: false }],
  [{ annotations: { readOnlyHint: true, destructiveHint: true } }, { writes: true, openWorld: false }],
  [{ annotations: { openWorldHint: true } }, { writes: false, openWorld: true }],
  [{ annotations: { openWorldHint: 'true' } }, undefined],
  [undefined, undefined],
])('only what is said outright, and only what tightens: %j', (definition, claims) => {
  expect(claimsOf(definition)).toEqual(claims);
});
