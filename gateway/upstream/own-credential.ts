import { hash } from 'node:crypto';
import { Fault } from '../domain/fault.ts';
import { asString, isObject, type Json, type JsonObject } from '../domain/json.ts';
import type { Clock } from '../ports/clock.ts';
import type { GuardedFetch } from '../ports/guarded-fetch.ts';
import type { ReadIssuer } from '../ports/issuer.ts';
import type { McpCaller } from '../ports/mcp-server.ts';
import type { UpstreamCredential } from '../ports/upstream.ts';

/** How the gate gets tokens for a server. */
export interface TokenGrant {
  readonly grant: 'client_credentials' | 'token_exchange';
  readonly issuer: string;
  /** absent: read from the issuer's metadata */
  readonly token_endpoint?: string | undefined;
  readonly client_id: string;
  readonly client_secret: string;
  readonly scopes: readonly string[];
  /** RFC 8707: whom the token is for */
  readonly resource: string;
}

/** The gate's own credential for one server. */
export interface OwnCredential {
  /** Throws a Fault (`TG_UPSTREAM_AUTH`) where it cannot be had. Never the caller's own token. */
  get(caller: McpCaller): Promise<UpstreamCredential | undefined>;
  /** The server refused what `get` gave. True: a new one can be had, and the request may be sent once more. */
  refused(caller: McpCaller): boolean;
}

export interface GrantRoom {
  readonly server: string;
  readonly fetch: GuardedFetch;
  readonly readIssuer: ReadIssuer;
  readonly clock: Clock;
}

/** What does not change: nothing, a bearer token or a header. */
export const fixedCredential = (credential: UpstreamCredential | undefined): OwnCredential => ({
  get: async () => credential,
  refused: () => false,
});

/** A token is fetched anew so long before it ends, or at half its life where that is sooner. */
const EARLY_MS = 60_000;
/** The life of a token whose issuer does not say. */
const ASSUMED_MS = 5 * 60_000;
const TOKENS_KEPT = 1_000;
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

interface Kept {
  readonly token: Promise<string>;
  /** by the clock's ticks; a token that is still on its way has no end yet */
  freshUntil: number;
}

/** RFC 6749 section 2.3.1: both halves are form-encoded before they are joined. */
function basic({ client_id, client_secret }: TokenGrant): string {
  const encode = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1);
  return `Basic ${Buffer.from(`${encode(client_id)}:${encode(client_secret)}`).toString('base64')}`;
}

function parsed(body: Uint8Array): JsonObject {
  try {
    const value = JSON.parse(Buffer.from(body).toString('utf8')) as Json;
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

class GrantedCredential implements OwnCredential {
  readonly #grant: TokenGrant;
  readonly #room: GrantRoom;
  readonly #kept = new Map<string, Kept>();

  constructor(grant: TokenGrant, room: GrantRoom) {
    this.#grant = grant;
    this.#room = room;
  }

  async get(caller: McpCaller): Promise<UpstreamCredential> {
    const subject = this.#subject(caller);
    const name = subject === undefined ? '' : hash('sha256', subject, 'base64');
    const kept = this.#kept.get(name);
    if (kept && this.#room.clock.ticks() < kept.freshUntil) return { bearer: await kept.token };
    const entry: Kept = {
      token: this.#fetch(subject, (ms) => this.#settle(entry, ms)),
      freshUntil: Number.POSITIVE_INFINITY,
    };
    this.#kept.set(name, entry);
    if (this.#kept.size > TOKENS_KEPT) this.#kept.delete(this.#kept.keys().next().value as string);
    try {
      return { bearer: await entry.token };
    } catch (error) {
      if (this.#kept.get(name) === entry) this.#kept.delete(name);
      throw error;
    }
  }

  refused(caller: McpCaller): boolean {
    const { subjectToken } = caller;
    if (this.#grant.grant === 'token_exchange' && subjectToken === undefined) return false;
    return this.#kept.delete(
      this.#grant.grant === 'token_exchange' ? hash('sha256', subjectToken as string, 'base64') : '',
    );
  }

  #settle(entry: Kept, lifeMs: number): void {
    entry.freshUntil = this.#room.clock.ticks() + Math.max(lifeMs - EARLY_MS, lifeMs / 2);
  }

  #subject({ subjectToken }: McpCaller): string | undefined {
    if (this.#grant.grant === 'client_credentials') return undefined;
    if (subjectToken === undefined)
      throw this.#fault(
        'acts for the caller, and only an access token tells who that is; a gateway key does not do here',
      );
    return subjectToken;
  }

  async #fetch(subject: string | undefined, alive: (ms: number) => void): Promise<string> {
    const { resource, scopes } = this.#grant;
    const form = new URLSearchParams({ grant_type: subject === undefined ? 'client_credentials' : EXCHANGE, resource });
    if (scopes.length > 0) form.set('scope', scopes.join(' '));
    if (subject !== undefined) {
      form.set('subject_token', subject);
      form.set('subject_token_type', ACCESS_TOKEN);
      form.set('requested_token_type', ACCESS_TOKEN);
    }
    const { status, body } = await this.#ask(form);
    const said = parsed(body);
    // RFC 6749 section 5.2: a word from a closed set, safe to pass on; the description is not
    const error = asString(said['error']);
    if (status !== 200)
      throw this.#fault(
        `is closed to the gate: its issuer answered ${status}${/^[a-z_]{1,40}$/.test(error ?? '') ? ` (${error})` : ''}`,
      );
    const token = asString(said['access_token']);
    if (
      token === undefined ||
      !/^[\x21-\x7e]+$/.test(token) ||
      asString(said['token_type'])?.toLowerCase() !== 'bearer'
    )
      throw this.#fault('is closed to the gate: its issuer gave no bearer token');
    if (token === subject) throw this.#fault("is closed to the gate: its issuer gave the caller's own token back");
    const seconds = said['expires_in'];
    alive(typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : ASSUMED_MS);
    return token;
  }

  async #ask(form: URLSearchParams): ReturnType<GuardedFetch> {
    const { issuer, token_endpoint } = this.#grant;
    try {
      const url = token_endpoint ?? (await this.#room.readIssuer(issuer)).tokenEndpoint;
      if (url === undefined)
        throw this.#fault('is closed to the gate: its issuer names no token endpoint; name it in the configuration');
      return await this.#room.fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: basic(this.#grant) },
        body: form.toString(),
      });
    } catch (error) {
      if (error instanceof Fault && error.code === 'TG_UPSTREAM_UNREACHABLE')
        throw this.#fault(`is closed to the gate: ${error.message}`, error);
      throw error;
    }
  }

  #fault(what: string, cause?: unknown): Fault {
    return new Fault('TG_UPSTREAM_AUTH', `the MCP server \`${this.#room.server}\` ${what}`, cause);
  }
}

/**
 * Tokens by client credentials, or by exchange of the caller's verified token (RFC 8693), each for this server alone (RFC 8707). Kept,
 * and renewed before they end; who asks meanwhile waits for the same answer.
 */
export const grantedCredential = (grant: TokenGrant, room: GrantRoom): OwnCredential =>
  new GrantedCredential(grant, room);
