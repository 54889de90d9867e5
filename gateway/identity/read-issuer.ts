import { Fault } from '../domain/fault.ts';
import { asString, isObject, type Json, type JsonObject } from '../domain/json.ts';
import type { Clock } from '../ports/clock.ts';
import type { GuardedFetch } from '../ports/guarded-fetch.ts';
import type { IssuerMetadata, ReadIssuer } from '../ports/issuer.ts';

const KEPT_MS = 60 * 60 * 1000;
/** After a failure nobody asks again for so long: a flood of tokens must not become a flood of questions. */
const QUIET_MS = 5_000;

/** Where metadata may stand: RFC 8414 section 3.1, then OpenID Connect's place with the path inserted and appended (section 5). */
export function metadataUrls(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname === '/' ? '' : pathname.replace(/\/$/, '');
  return [
    ...new Set([
      `${origin}/.well-known/oauth-authorization-server${path}`,
      `${origin}/.well-known/openid-configuration${path}`,
      `${origin}${path}/.well-known/openid-configuration`,
    ]),
  ];
}

function parsed(body: Uint8Array): JsonObject | undefined {
  try {
    const value = JSON.parse(Buffer.from(body).toString('utf8')) as Json;
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

async function read(fetch: GuardedFetch, issuer: string): Promise<IssuerMetadata> {
  for (const url of metadataUrls(issuer)) {
    const answer = await fetch(url);
    const value = answer.status === 200 ? parsed(answer.body) : undefined;
    if (!value) continue;
    if (value['issuer'] !== issuer)
      throw new Fault('TG_UPSTREAM_UNREACHABLE', `the metadata of the issuer \`${issuer}\` is another issuer's`);
    return { issuer, jwksUri: asString(value['jwks_uri']), tokenEndpoint: asString(value['token_endpoint']) };
  }
  throw new Fault(
    'TG_UPSTREAM_UNREACHABLE',
    `the issuer \`${issuer}\` publishes no metadata; name \`jwks_uri\` or \`token_endpoint\` in the configuration`,
  );
}

/** Metadata of issuers, read once an hour; who asks meanwhile waits for the same answer. */
export function issuerReader(fetch: GuardedFetch, clock: Clock): ReadIssuer {
  const known = new Map<string, { readonly at: number; readonly metadata: Promise<IssuerMetadata>; failed: boolean }>();
  return (issuer) => {
    const now = clock.ticks();
    const kept = known.get(issuer);
    if (kept && now - kept.at < (kept.failed ? QUIET_MS : KEPT_MS)) return kept.metadata;
    const entry = { at: now, metadata: read(fetch, issuer), failed: false };
    entry.metadata.catch(() => {
      entry.failed = true;
    });
    known.set(issuer, entry);
    return entry.metadata;
  };
}
