import type { Clock } from '../ports/clock.ts';
import type { Identity } from '../ports/identity.ts';
import type { Keys } from '../ports/keys.ts';
import { type Access, authenticator } from './api-key.ts';
import { attribute } from './attribution.ts';
import { metaNames } from './meta-names.ts';

/** Identity from gateway keys and from what clients send by themselves. */
export function createIdentity(access: Access, keys: Keys, clock: Clock): Identity {
  return { authenticate: authenticator(access, keys, clock), attribute, metaNames };
}
