import type { Fault } from '../domain/fault.ts';

const WELL_KNOWN = '/.well-known/oauth-protected-resource';

export interface ProtectedResources {
  /** how callers reach the gate: an origin */
  readonly base: string;
  /** paths that are resources: `/mcp`, `/mcp/<server>` */
  readonly endpoints: readonly string[];
  readonly issuers: readonly string[];
  readonly scopes: readonly string[];
}

/** The canonical identifier of an endpoint: what a token's `aud` has to name (RFC 8707). */
export const resourceOf = (base: string, endpoint: string): string => `${base}${endpoint}`;

/** The metadata document (RFC 9728) behind a well-known path; without a suffix, the first endpoint's. Undefined: no such resource. */
export function resourceMetadata(resources: ProtectedResources, path: string): string | undefined {
  if (path !== WELL_KNOWN && !path.startsWith(`${WELL_KNOWN}/`)) return undefined;
  const endpoint = path.slice(WELL_KNOWN.length).replace(/\/$/, '') || resources.endpoints[0];
  if (endpoint === undefined || !resources.endpoints.includes(endpoint)) return undefined;
  return JSON.stringify({
    resource: resourceOf(resources.base, endpoint),
    authorization_servers: resources.issuers,
    bearer_methods_supported: ['header'],
    ...(resources.scopes.length > 0 && { scopes_supported: resources.scopes }),
    resource_name: 'Tollgate',
  });
}

/** Text for a quoted parameter: RFC 6750 section 3 allows these characters. */
const quoted = (text: string): string => text.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, "'");

/** `WWW-Authenticate` for a refusal: where the metadata stands, every scope that is needed, and what was wrong with a token. */
export function bearerChallenge(resources: ProtectedResources, endpoint: string, fault: Fault): string {
  const errors: Readonly<Record<string, string>> = { TG_BAD_KEY: 'invalid_token', TG_SCOPE: 'insufficient_scope' };
  const error = errors[fault.code];
  const parameters = [
    `resource_metadata="${resources.base}${WELL_KNOWN}${endpoint}"`,
    ...(resources.scopes.length > 0 ? [`scope="${quoted(resources.scopes.join(' '))}"`] : []),
    ...(error === undefined ? [] : [`error="${error}"`, `error_description="${quoted(fault.message)}"`]),
  ];
  return `Bearer ${parameters.join(', ')}`;
}
