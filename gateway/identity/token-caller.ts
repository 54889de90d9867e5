import { hash } from 'node:crypto';
import { Fault } from '../domain/fault.ts';
import type { Named } from '../domain/principal.ts';
import type { AdmittedCaller } from '../ports/mcp-access.ts';
import type { VerifiedToken } from './access-token.ts';
import { safeId } from './attribution.ts';

/** The tenant of callers whose token names none. */
const DEFAULT_TENANT = 'default';

function claim(claims: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = claims[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

const verified = (id: string, name: string): Named => ({
  id: safeId(id),
  source: `token:${name}`,
  assurance: 'verified',
});

/** Scopes a token grants: `scope` (RFC 8693) or `scp`, as text or list. */
function scopesOf(claims: Readonly<Record<string, unknown>>): readonly string[] {
  const value = claims['scope'] ?? claims['scp'];
  if (Array.isArray(value)) return value.filter((scope) => typeof scope === 'string');
  return typeof value === 'string' ? value.split(' ').filter((scope) => scope !== '') : [];
}

/** The actor of a delegated token (RFC 8693 section 4.1). */
function actor(claims: Readonly<Record<string, unknown>>): string | undefined {
  const { act } = claims;
  return typeof act === 'object' && act !== null ? claim(act as Record<string, unknown>, 'sub') : undefined;
}

/**
 * Who a verified token speaks for. The agent is the actor of a delegation, else the client; the human is its subject, unless the client
 * speaks for itself. Throws a Fault (`TG_BAD_KEY`) where it names nobody, or no tenant where one has to be named.
 */
export function callerOfToken({ issuer, claims }: VerifiedToken, token: string): AdmittedCaller {
  const client = claim(claims, issuer.agent_claim) ?? claim(claims, 'azp');
  const agent = actor(claims) ?? client;
  const subject = claim(claims, issuer.human_claim);
  const human = subject === client ? undefined : subject;
  if (agent === undefined && human === undefined)
    throw new Fault(
      'TG_BAD_KEY',
      `the access token names neither \`${issuer.human_claim}\` nor \`${issuer.agent_claim}\``,
    );
  const { tenant_claim } = issuer;
  const tenant = tenant_claim === undefined ? undefined : claim(claims, tenant_claim);
  if (tenant_claim !== undefined && tenant === undefined)
    throw new Fault('TG_BAD_KEY', `the access token does not name its tenant in \`${tenant_claim}\``);
  const identity = JSON.stringify([issuer.issuer, claims.sub ?? '', subject ?? '', client ?? '', agent ?? '']);
  return {
    tenant: tenant === undefined ? { ...verified(DEFAULT_TENANT, 'iss') } : verified(tenant, tenant_claim as string),
    ...(human !== undefined && { human: verified(human, issuer.human_claim) }),
    ...(agent !== undefined && { agent: verified(agent, agent === client ? issuer.agent_claim : 'act') }),
    // what runs, handles and processes are kept apart by; the same for every token of this caller
    key: `sub_${hash('sha256', identity, 'hex').slice(0, 24)}`,
    ownsGatewayKey: true,
    subjectToken: token,
    scopes: scopesOf(claims),
  };
}
