import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../../domain/fault.ts';
import type { McpAnswer, McpRequest, McpServer } from '../../ports/mcp-server.ts';
import { emptyAnswer, errorAnswer } from './answers.ts';
import { Backoff } from './backoff.ts';
import { discoverMessage, type Era, eraOf, eraOfRequest } from './era-probe.ts';
import { LegacySession } from './legacy-session.ts';
import { ModernProcess } from './modern-process.ts';
import { type RpcMessage, readMessage } from './rpc-message.ts';
import type { StdioSettings } from './settings.ts';

/** A start that has to wait longer than this is refused instead. */
const WAIT_FOR_START_MS = 1_000;
const REAP_EVERY_MS = 5_000;
/** Callers whose failures are remembered. */
const BACKOFFS_KEPT = 1_000;

interface Shared {
  readonly process: ModernProcess;
  /** it runs, and the era is known */
  readonly ready: Promise<void>;
}

/** The processes of one configured command. */
class StdioServer implements McpServer {
  readonly name: string;
  readonly #settings: StdioSettings;
  readonly #sessions = new Map<string, LegacySession>();
  readonly #processes = new Map<string, Shared>();
  /** processes that were told to end */
  readonly #ending = new Set<Promise<void>>();
  readonly #backoffs = new Map<string, Backoff>();
  readonly #reaper: NodeJS.Timeout;
  #starting = 0;
  #era: Era | undefined;
  #closed = false;

  constructor(settings: StdioSettings) {
    this.name = settings.name;
    this.#settings = settings;
    this.#era = settings.era === 'auto' ? undefined : settings.era;
    this.#reaper = setInterval(() => this.#reap(), Math.min(REAP_EVERY_MS, settings.idleMs));
    this.#reaper.unref();
  }

  async exchange(request: McpRequest): Promise<McpAnswer> {
    if (this.#closed) throw new Fault('TG_UPSTREAM_UNREACHABLE', `the MCP server \`${this.name}\` was closed`);
    const { method, headers, body = new Uint8Array(0) } = request;
    const sessionId = headers['mcp-session-id'];
    if (method !== 'POST') return this.#sessionVerb(request, sessionId);
    let message: RpcMessage;
    try {
      message = readMessage(body);
    } catch (error) {
      const why = error instanceof Error ? error.message : 'it cannot be read';
      return errorAnswer(400, -32700, `this is no JSON-RPC message: ${why}`);
    }
    if (eraOfRequest(message, headers['mcp-protocol-version']) === 'modern') return this.#modern(message, request);
    if (sessionId !== undefined) {
      const session = this.#session(sessionId, request);
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

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#reaper);
    for (const one of [...this.#sessions.values(), ...[...this.#processes.values()].map((p) => p.process)])
      this.#end(one);
    this.#sessions.clear();
    this.#processes.clear();
    await Promise.all(this.#ending);
  }

  async #sessionVerb(request: McpRequest, sessionId: string | undefined): Promise<McpAnswer> {
    if (sessionId === undefined)
      return this.#era === 'modern'
        ? emptyAnswer(405, { allow: 'POST' })
        : errorAnswer(400, -32600, '`Mcp-Session-Id` is missing; send `initialize` first');
    const session = this.#session(sessionId, request);
    if (!session) return errorAnswer(404, -32600, 'this session is not known');
    if (request.method === 'GET') return session.listen(request.headers['last-event-id'], request.signal);
    this.#sessions.delete(sessionId);
    this.#end(session);
    return emptyAnswer(200);
  }

  #session(id: string, { caller }: McpRequest): LegacySession | undefined {
    const session = this.#sessions.get(id);
    return session?.principalId === caller.principalId && !session.over ? session : undefined;
  }

  async #initialize(message: RpcMessage, { caller, signal }: McpRequest): Promise<McpAnswer> {
    if (this.#settings.era === 'modern')
      return errorAnswer(400, -32022, 'this server has no sessions: use revision 2026-07-28 or later', idOf(message));
    const session = new LegacySession(randomUUID(), caller.principalId, this.#settings, {
      gone: (gone, lived) => {
        this.#sessions.delete(gone.id);
        this.#backoff(caller.principalId).failed(lived);
      },
    });
    await this.#start(caller.principalId, session);
    try {
      const answer = await session.initialize(message, signal);
      if (answer.headers['mcp-session-id'] === undefined || this.#closed) this.#end(session);
      else this.#sessions.set(session.id, session);
      return answer;
    } catch (error) {
      this.#end(session);
      throw error;
    }
  }

  async #modern(message: RpcMessage, { caller, signal }: McpRequest): Promise<McpAnswer> {
    if (this.#era !== 'legacy') {
      const process = await this.#process(this.#settings.share === 'everyone' ? '' : caller.principalId);
      if (this.#era === 'modern') return process.post(message, caller, signal);
    }
    return errorAnswer(400, -32600, 'this server speaks revisions up to 2025-11-25: send `initialize`', idOf(message));
  }

  /** The running process of these callers, or a new one; where the era is not known yet, it is asked. */
  async #process(owner: string): Promise<ModernProcess> {
    let shared = this.#processes.get(owner);
    if (!shared || shared.process.over) {
      const process = new ModernProcess(this.#settings, {
        gone: (gone, lived) => {
          this.#backoff(owner).failed(lived);
          if (this.#processes.get(owner)?.process === gone) this.#processes.delete(owner);
        },
      });
      shared = { process, ready: this.#ready(owner, process) };
      this.#processes.set(owner, shared);
    }
    const { process, ready } = shared;
    try {
      await ready;
    } catch (error) {
      if (this.#processes.get(owner)?.process === process) this.#processes.delete(owner);
      throw error;
    }
    return process;
  }

  async #ready(owner: string, process: ModernProcess): Promise<void> {
    await this.#start(owner, process);
    if (this.#era === undefined) {
      this.#era = eraOf(await process.probe(discoverMessage(), this.#settings.probeMs));
      this.#settings.log.info({ server: this.name, era: this.#era }, 'the era of an MCP server is known');
    }
    if (this.#era === 'modern' && !this.#closed) return;
    if (this.#processes.get(owner)?.process === process) this.#processes.delete(owner);
    this.#end(process);
  }

  async #start(owner: string, process: { start(): Promise<void> }): Promise<void> {
    const { maxProcesses } = this.#settings;
    if (this.#sessions.size + this.#processes.size + this.#starting >= maxProcesses)
      throw new Fault(
        'TG_UPSTREAM_UNREACHABLE',
        `the MCP server \`${this.name}\` has ${maxProcesses} processes already; end a session or raise \`max_processes\``,
      );
    const wait = this.#backoff(owner).wait();
    if (wait > WAIT_FOR_START_MS)
      throw new Fault(
        'TG_UPSTREAM_UNREACHABLE',
        `the MCP server \`${this.name}\` keeps ending right after it was started; it is tried again in ${Math.ceil(wait / 1000)} s`,
      );
    this.#starting += 1;
    try {
      if (wait > 0) await sleep(wait);
      await process.start();
    } catch (error) {
      this.#backoff(owner).failed(0);
      throw error;
    } finally {
      this.#starting -= 1;
    }
  }

  #backoff(owner: string): Backoff {
    let backoff = this.#backoffs.get(owner);
    if (!backoff) {
      backoff = new Backoff(this.#settings.ticks);
      this.#backoffs.set(owner, backoff);
      if (this.#backoffs.size > BACKOFFS_KEPT) this.#backoffs.delete(this.#backoffs.keys().next().value as string);
    }
    return backoff;
  }

  /** Ends a process in the background; `close` waits for it. */
  #end(process: { end(): Promise<void> }): void {
    const ending = process
      .end()
      .catch((error: unknown) =>
        this.#settings.log.error(
          { server: this.name, error: String(error) },
          'an MCP server process could not be ended',
        ),
      )
      .finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  /** Ends what nobody has used for a while. */
  #reap(): void {
    const { idleMs } = this.#settings;
    for (const [id, session] of this.#sessions) {
      if (!session.over && session.idle() < idleMs) continue;
      this.#sessions.delete(id);
      this.#end(session);
    }
    for (const [owner, { process }] of this.#processes) {
      if (!process.over && process.idle() < idleMs) continue;
      this.#processes.delete(owner);
      this.#end(process);
    }
  }
}

const idOf = ({ kind, id = 'null' }: RpcMessage): string => (kind === 'request' ? id : 'null');

/** A server that is a process of ours, made to answer like one over streamable HTTP. Nothing is started before it is needed. */
export const openStdioServer = (settings: StdioSettings): McpServer => new StdioServer(settings);
