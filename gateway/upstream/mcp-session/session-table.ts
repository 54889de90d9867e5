import { randomUUID } from 'node:crypto';
import { Fault } from '../../domain/fault.ts';
import type { Log } from '../../ports/log.ts';
import type { McpAnswer, McpRequest } from '../../ports/mcp-server.ts';
import { emptyAnswer, errorAnswer } from './answers.ts';
import { LegacySession } from './legacy-session.ts';
import type { Link, LinkEvents, SessionSettings } from './link.ts';
import type { RpcMessage } from './rpc-message.ts';

const REAP_EVERY_MS = 5_000;

export interface TableSettings extends SessionSettings {
  readonly log: Log;
  /** most sessions at one time, and of one principal: nobody takes them all */
  readonly maxSessions: number;
  readonly maxPerPrincipal: number;
}

export interface TableEvents {
  /** opens the link of a new session */
  connect(events: LinkEvents, caller: McpRequest['caller']): Promise<Link>;
  /** the link of a session of this principal ended by itself after so many milliseconds */
  gone(principalId: string, livedMs: number): void;
}

/** The sessions of one server: what a streamable HTTP server of a legacy revision does with `Mcp-Session-Id`. */
export class SessionTable {
  readonly #settings: TableSettings;
  readonly #events: TableEvents;
  readonly #sessions = new Map<string, LegacySession>();
  readonly #ending = new Set<Promise<void>>();
  readonly #reaper: NodeJS.Timeout;
  /** by principal: sessions that are being opened */
  readonly #opening = new Map<string, number>();
  #closed = false;

  constructor(settings: TableSettings, events: TableEvents) {
    this.#settings = settings;
    this.#events = events;
    this.#reaper = setInterval(() => this.#reap(), Math.min(REAP_EVERY_MS, settings.idleMs));
    this.#reaper.unref();
  }

  /** sessions, those included that are being opened */
  get size(): number {
    return this.#sessions.size + [...this.#opening.values()].reduce((sum, n) => sum + n, 0);
  }

  async post(message: RpcMessage, request: McpRequest): Promise<McpAnswer> {
    const id = request.headers['mcp-session-id'];
    if (id !== undefined) {
      const session = this.#session(id, request);
      return session
        ? session.post(message, request.signal)
        : errorAnswer(404, -32600, 'this session is not known', idOf(message));
    }
    if (message.method === 'initialize' && message.kind === 'request') return this.#initialize(message, request);
    return errorAnswer(
      400,
      -32600,
      'there is no session: send `initialize` first, then its `Mcp-Session-Id`',
      idOf(message),
    );
  }

  /** GET and DELETE. */
  verb(request: McpRequest): McpAnswer {
    const id = request.headers['mcp-session-id'];
    if (id === undefined) return errorAnswer(400, -32600, '`Mcp-Session-Id` is missing; send `initialize` first');
    const session = this.#session(id, request);
    if (!session) return errorAnswer(404, -32600, 'this session is not known');
    if (request.method === 'GET') return session.listen(request.headers['last-event-id'], request.signal);
    this.#sessions.delete(id);
    this.end(session);
    return emptyAnswer(200);
  }

  /** Ends something in the background; `close` waits for it. */
  end(one: { end(): Promise<void> }): void {
    const { log, name } = this.#settings;
    const ending = one
      .end()
      .catch((error: unknown) => log.error({ server: name, error: String(error) }, 'an MCP server could not be ended'))
      .finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#reaper);
    for (const session of this.#sessions.values()) this.end(session);
    this.#sessions.clear();
    while (this.#ending.size > 0) await Promise.all(this.#ending);
  }

  #session(id: string, { caller }: McpRequest): LegacySession | undefined {
    const session = this.#sessions.get(id);
    return session?.principalId === caller.principalId && !session.over ? session : undefined;
  }

  async #initialize(message: RpcMessage, { caller, signal }: McpRequest): Promise<McpAnswer> {
    this.#refuseTooMany(caller.principalId);
    const session = new LegacySession(randomUUID(), caller.principalId, this.#settings, {
      gone: (gone, lived) => {
        this.#sessions.delete(gone.id);
        this.#events.gone(caller.principalId, lived);
      },
    });
    this.#count(caller.principalId, 1);
    try {
      await session.start((events) => this.#events.connect(events, caller));
      const answer = await session.initialize(message, signal);
      if (this.#closed)
        throw new Fault('TG_UPSTREAM_UNREACHABLE', `the MCP server \`${this.#settings.name}\` was closed`);
      if (answer.headers['mcp-session-id'] === undefined) this.end(session);
      else this.#sessions.set(session.id, session);
      return answer;
    } catch (error) {
      this.end(session);
      throw error;
    } finally {
      this.#count(caller.principalId, -1);
    }
  }

  #count(principalId: string, change: 1 | -1): void {
    const count = (this.#opening.get(principalId) ?? 0) + change;
    if (count === 0) this.#opening.delete(principalId);
    else this.#opening.set(principalId, count);
  }

  #refuseTooMany(principalId: string): void {
    const { name, maxSessions, maxPerPrincipal } = this.#settings;
    const own = [...this.#sessions.values()].filter((session) => session.principalId === principalId).length;
    const mine = own + (this.#opening.get(principalId) ?? 0) >= maxPerPrincipal;
    if (!mine && this.size < maxSessions) return;
    const who = mine ? `you have ${maxPerPrincipal} sessions` : `there are ${maxSessions} sessions`;
    throw new Fault(
      'TG_UPSTREAM_UNREACHABLE',
      `${who} with the MCP server \`${name}\` already; end one that is not needed`,
    );
  }

  #reap(): void {
    for (const [id, session] of this.#sessions) {
      if (!session.over && session.idle() < this.#settings.idleMs) continue;
      this.#sessions.delete(id);
      this.end(session);
    }
  }
}

/** The id to answer a message with, as JSON text. */
export const idOf = ({ kind, id = 'null' }: RpcMessage): string => (kind === 'request' ? id : 'null');
