import { hash } from 'node:crypto';
import {
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  errors,
  type JWTPayload,
  jwtVerify,
  type RemoteJWKSet,
} from 'jose';
import { Fault } from '../domain/fault.ts';
import type { Clock } from '../ports/clock.ts';
import type { GuardedFetch } from '../ports/guarded-fetch.ts';
import type { ReadIssuer } from '../ports/issuer.ts';

/** An authorization server whose tokens are taken, and which claims name whom. */
export interface TrustedIssuer {
  readonly issuer: string;
  /** absent: read from the issuer's metadata */
  readonly jwks_uri?: string | undefined;
  readonly algorithms: readonly string[];
  /** further `aud` values that mean this gate, for issuers that cannot name a resource (RFC 8707) */
  readonly audiences: readonly string[];
  readonly tenant_claim?: string | undefined;
  readonly human_claim: string;
  readonly agent_claim: string;
}

export interface VerifiedToken {
  readonly issuer: TrustedIssuer;
  readonly claims: JWTPayload;
}

export interface TokenRoom {
  readonly issuers: readonly TrustedIssuer[];
  readonly fetch: GuardedFetch;
  readonly readIssuer: ReadIssuer;
  readonly clock: Clock;
}

/** Algorithms with a public key. A symmetric one would make every verifier an issuer, and `none` everybody. */
const ASYMMETRIC = /^(?:RS|PS|ES)(?:256|384|512)$|^EdDSA$|^Ed25519$/;
/** RFC 9068 section 2.1; many issuers say `JWT` or nothing. Anything else is a token for another purpose. */
const TYPES = new Set(['', 'jwt', 'at+jwt', 'application/at+jwt']);
/** seconds that two clocks may differ */
const LEEWAY_S = 30;
const KEYS_KEPT_MS = 10 * 60 * 1000;
const ASK_AGAIN_MS = 30_000;
const QUIET_MS = 5_000;
/** How long a verified token is believed without looking at the keys again. */
const BELIEVED_MS = 60_000;
const BELIEVED_TOKENS = 10_000;
const LONGEST_TOKEN = 16 * 1024;

const bad = (message: string, cause?: unknown): Fault => new Fault('TG_BAD_KEY', message, cause);

/** The keys of one issuer: fetched when first needed, kept, fetched again for a key that is not known. */
class IssuerKeys {
  readonly #room: TokenRoom;
  readonly #issuer: TrustedIssuer;
  #set: Promise<RemoteJWKSet> | undefined;
  #fresh = (): boolean => false;
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(room: TokenRoom, issuer: TrustedIssuer) {
    this.#room = room;
    this.#issuer = issuer;
  }

  async find(...[header, token]: Parameters<RemoteJWKSet>): ReturnType<RemoteJWKSet> {
    this.#set ??= this.#open();
    const set = await this.#set.catch((error: unknown) => {
      this.#set = undefined;
      throw error;
    });
    return set(header, token);
  }

  async #open(): Promise<RemoteJWKSet> {
    const { issuer, jwks_uri } = this.#issuer;
    const uri = jwks_uri ?? (await this.#room.readIssuer(issuer)).jwksUri;
    if (uri === undefined || !URL.canParse(uri))
      throw new Fault(
        'TG_UPSTREAM_UNREACHABLE',
        `the issuer \`${issuer}\` names no \`jwks_uri\`; name it in the configuration`,
      );
    const set = createRemoteJWKSet(new URL(uri), {
      cacheMaxAge: KEYS_KEPT_MS,
      cooldownDuration: ASK_AGAIN_MS,
      [customFetch]: (url, { signal }) => this.#fetch(url, signal),
    });
    this.#fresh = () => set.fresh;
    return set;
  }

  async #fetch(url: string, signal: AbortSignal): Promise<Response> {
    const { clock, fetch } = this.#room;
    if (clock.ticks() - this.#failedAt < QUIET_MS)
      throw new Fault(
        'TG_UPSTREAM_UNREACHABLE',
        `the keys of \`${this.#issuer.issuer}\` could not be had a moment ago`,
      );
    try {
      const { status, body } = await fetch(url, { method: 'GET', signal });
      if (status !== 200)
        throw new Fault('TG_UPSTREAM_UNREACHABLE', `the keys of \`${this.#issuer.issuer}\` came with status ${status}`);
      return new Response(Buffer.from(body), { status, headers: { 'content-type': 'application/json' } });
    } catch (error) {
      this.#failedAt = clock.ticks();
      // the issuer may have moved its keys; those that are still fresh go on being used
      if (!this.#fresh()) this.#set = undefined;
      throw error;
    }
  }
}

/** What is wrong with a token, in words for its sender; undefined: the keys could not be had, which is not the sender's fault. */
function refusal(error: unknown): Fault | undefined {
  if (error instanceof errors.JWTExpired) return bad('the access token has expired; get a new one', error);
  if (error instanceof errors.JWTClaimValidationFailed)
    return bad(`the access token's \`${error.claim}\` is missing or does not hold here`, error);
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported)
    return bad('the access token is signed with an algorithm that is not taken here', error);
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return bad('the access token is signed with a key that its issuer does not publish', error);
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return bad('the signature of the access token does not hold', error);
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid)
    return bad('the access token is malformed', error);
  return undefined;
}

function issuerOf(token: string, issuers: ReadonlyMap<string, IssuerKeys>): string {
  let iss: unknown;
  try {
    iss = decodeJwt(token).iss;
  } catch (error) {
    throw bad('the access token is no JWT; opaque tokens are not taken', error);
  }
  if (typeof iss !== 'string' || !issuers.has(iss))
    throw bad('the access token is from an issuer that is not taken here');
  return iss;
}

/**
 * Verifies access tokens: issuer, algorithm, signature, `exp`, `nbf`. Whom they are for (`aud`) is the endpoint's question. The function
 * throws a Fault: `TG_BAD_KEY`, or `TG_KEYS_UNAVAILABLE` where the issuer's keys cannot be had. Throws a TypeError for an algorithm that
 * has no public key.
 */
export function tokenVerifier(room: TokenRoom): (token: string) => Promise<VerifiedToken> {
  for (const { issuer, algorithms } of room.issuers)
    for (const name of algorithms)
      if (!ASYMMETRIC.test(name))
        throw new TypeError(
          `issuer \`${issuer}\`: algorithm \`${name}\` is not taken; use RS, PS or ES with 256, 384 or 512, or EdDSA`,
        );
  const keys = new Map(room.issuers.map((one) => [one.issuer, new IssuerKeys(room, one)]));
  const believed = new Map<string, VerifiedToken & { readonly until: number }>();
  return async (token) => {
    if (token.length > LONGEST_TOKEN) throw bad(`the access token is longer than ${LONGEST_TOKEN} characters`);
    const digest = hash('sha256', token, 'base64');
    const now = room.clock.now();
    const known = believed.get(digest);
    if (known && now < known.until) return known;
    believed.delete(digest);
    const iss = issuerOf(token, keys);
    const issuer = room.issuers.find((one) => one.issuer === iss) as TrustedIssuer;
    const claims = await verify(token, issuer, keys.get(iss) as IssuerKeys, now);
    const until = Math.min(now + BELIEVED_MS, (claims.exp as number) * 1000);
    believed.set(digest, { issuer, claims, until });
    if (believed.size > BELIEVED_TOKENS) believed.delete(believed.keys().next().value as string);
    return { issuer, claims };
  };
}

async function verify(token: string, issuer: TrustedIssuer, keys: IssuerKeys, now: number): Promise<JWTPayload> {
  let verified: Awaited<ReturnType<typeof jwtVerify>>;
  try {
    verified = await jwtVerify(token, (header, jws) => keys.find(header, jws), {
      issuer: issuer.issuer,
      algorithms: [...issuer.algorithms],
      requiredClaims: ['exp', 'aud'],
      clockTolerance: LEEWAY_S,
      currentDate: new Date(now),
    });
  } catch (error) {
    const refused = refusal(error);
    if (refused) throw refused;
    throw new Fault(
      'TG_KEYS_UNAVAILABLE',
      `the keys of the issuer \`${issuer.issuer}\` cannot be had; try again`,
      error,
    );
  }
  const { payload, protectedHeader } = verified;
  if (!TYPES.has((protectedHeader.typ ?? '').toLowerCase())) throw bad('this token is for another purpose than access');
  // bound to a key whose possession we cannot check: whoever shows it bare may have stolen it (RFC 9449, RFC 8705)
  if (payload['cnf'] !== undefined)
    throw bad('the access token is bound to a key of its owner; only bearer tokens are taken');
  return payload;
}
