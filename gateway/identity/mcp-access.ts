import { Fault } from '../domain/fault.ts';
import type { Arrival, Identity } from '../ports/identity.ts';
import type { AdmittedCaller, McpAccess } from '../ports/mcp-access.ts';
import { type TokenRoom, type TrustedIssuer, tokenVerifier } from './access-token.ts';
import { headerValue, KEY_PREFIX } from './api-key.ts';
import { bearerChallenge, type ProtectedResources, resourceMetadata, resourceOf } from './protected-resource.ts';
import { callerOfToken } from './token-caller.ts';

export interface McpAccessOptions {
  readonly identity: Identity;
  /** throws a Fault for a Host or Origin that is not served */
  readonly admit: (arrival: Arrival) => void;
  /** absent: gateway keys alone, or whoever is on this machine where access is open */
  readonly oauth?:
    | {
        readonly resource: string;
        readonly issuers: readonly TrustedIssuer[];
        readonly scopes: readonly string[];
        /** `/mcp` and one per server */
        readonly endpoints: readonly string[];
        readonly room: Omit<TokenRoom, 'issuers'>;
      }
    | undefined;
}

const BEARER = /^bearer +([^\s]+)$/i;

/** Refuses a token in the URL: URLs end up in logs and histories (RFC 6750 section 5.3). */
function refuseQueryToken({ url }: Arrival): void {
  const query = url.indexOf('?');
  if (query !== -1 && new URLSearchParams(url.slice(query)).has('access_token'))
    throw new Fault('TG_NO_KEY', 'an access token in the URL is not taken; send it in the `Authorization` header');
}

function presented({ headers }: Arrival): { readonly gatewayKey: boolean; readonly token: string | undefined } {
  const authorization = headerValue(headers, 'authorization')?.trim();
  const token = authorization === undefined ? undefined : BEARER.exec(authorization)?.[1];
  const own = headerValue(headers, 'x-tollgate-key')
    ?.trim()
    .replace(/^bearer\s+/i, '');
  const isKey = (text: string | undefined): boolean => text?.startsWith(KEY_PREFIX) === true;
  return { gatewayKey: isKey(own) || isKey(token ?? authorization), token };
}

/** Who may knock at the MCP plane: holders of gateway keys, and of access tokens where an authorization server is configured. */
export function createMcpAccess({ identity, admit, oauth }: McpAccessOptions): McpAccess {
  const keyed = async (arrival: Arrival): Promise<AdmittedCaller> => ({
    ...(await identity.authenticate(arrival, ['authorization'])),
    scopes: [],
  });
  if (!oauth)
    return {
      admit,
      async authenticate(arrival) {
        refuseQueryToken(arrival);
        return keyed(arrival);
      },
      challenge: () => 'Bearer realm="tollgate"',
      metadata: () => undefined,
    };
  const verify = tokenVerifier({ ...oauth.room, issuers: oauth.issuers });
  const base = oauth.resource.replace(/\/+$/, '');
  const { endpoints, scopes } = oauth;
  const resources: ProtectedResources = { base, endpoints, scopes, issuers: oauth.issuers.map((one) => one.issuer) };
  return {
    admit,
    async authenticate(arrival, endpoint) {
      refuseQueryToken(arrival);
      const { gatewayKey, token } = presented(arrival);
      const caller = gatewayKey ? await keyed(arrival) : undefined;
      // open access is for those who show nothing where nothing can be shown; here a token can
      if (caller?.key !== undefined) return caller;
      if (token === undefined || caller !== undefined)
        throw new Fault(
          'TG_NO_KEY',
          'no credential: send an access token for this endpoint, or a gateway key, as `Authorization: Bearer …`',
        );
      const verified = await verify(token);
      const resource = resourceOf(base, endpoint);
      const wanted = new Set([resource, ...verified.issuer.audiences]);
      if (![verified.claims.aud].flat().some((aud) => aud !== undefined && wanted.has(aud)))
        throw new Fault(
          'TG_BAD_KEY',
          `the access token is not for this endpoint; ask its issuer for one with \`resource=${resource}\``,
        );
      const bearer = callerOfToken(verified, token);
      const missing = scopes.filter((scope) => !bearer.scopes.includes(scope));
      if (missing.length > 0)
        throw new Fault(
          'TG_SCOPE',
          `the access token lacks ${missing.map((scope) => `\`${scope}\``).join(', ')}; ask its issuer for every scope of the challenge`,
        );
      return bearer;
    },
    challenge: (fault, _arrival, endpoint) => bearerChallenge(resources, endpoint, fault),
    metadata: (_arrival, path) => resourceMetadata(resources, path),
  };
}
