import type { Brand } from '../domain/scalars.ts';

/** Proof that every action of a request was judged and may pass. `relay` carries nothing without one, and only `decide` mints it. */
export type Permit = Brand<{ readonly body: Uint8Array | undefined; readonly edited: boolean }, 'Permit'>;
