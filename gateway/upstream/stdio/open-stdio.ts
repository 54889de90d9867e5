import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../../domain/fault.ts';
import type { McpAnswer, McpRequest, McpServer } from '../../ports/mcp-server.ts';
import { emptyAnswer, errorAnswer } from '../mcp-session/answers.ts';
import { type Era, eraOfRequest } from '../mcp-session/request-era.ts';
import { type RpcMessage, readMessage } from '../mcp-session/rpc-message.ts';
import { idOf, SessionTable } from '../mcp-session/session-table.ts';
import { Backoff } from './backoff.ts';
import { discoverMessage, eraOf } from './era-probe.ts';
import { ModernProcess } from './modern-process.ts';
import { openProcessLink } from './process-link.ts';
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

/** The processes of one configured command: one for each legacy session, shared ones for modern requests. */
class StdioServer implements McpServer {
  readonly name: string;
  readonly #settings: StdioSettings;
  readonly #sessions: SessionTable;
  readonly #processes = new Map<string, Shared>();
  readonly #backoffs = new Map<string, Backoff>();
  readonly #reaper: NodeJS.Timeout;
  #era: Era | undefined;
  #closed = false;

  constructor(settings: StdioSettings) {
    this.name = settings.name;
    this.#settings = settings;
    this.#era = settings.era === 'auto' ? undefined : settings.era;
    this.#sessions = new SessionTable(
      { ...settings, maxSessions: settings.maxProcesses },
      {
        // the session that is being opened is counted already
        connect: (events, { principalId }) => this.#start(principalId, () => openProcessLink(settings, events), 1),
        gone: (principalId, lived) => this.#backoff(principalId).failed(lived),
      },
    );
    this.#reaper = setInterval(() => this.#reap(), Math.min(REAP_EVERY_MS, settings.idleMs));
    this.#reaper.unref();
  }

  async exchange(request: McpRequest): Promise<McpAnswer> {
    if (this.#closed) throw new Fault('TG_UPSTREAM_UNREACHABLE', `the MCP server \`${this.name}\` was closed`);
    const { method, headers, body = new Uint8Array(0) } = request;
    if (method !== 'POST') {
      const stateless = this.#era === 'modern' && headers['mcp-session-id'] === undefined;
      return stateless ? emptyAnswer(405, { allow: 'POST' }) : this.#sessions.verb(request);
    }
    let message: RpcMessage;
    try {
      message = readMessage(body);
    } catch (error) {
      const why = error instanceof Error ? error.message : 'it cannot be read';
      return errorAnswer(400, -32700, `this is no JSON-RPC message: ${why}`);
    }
    if (eraOfRequest(message, headers['mcp-protocol-version']) === 'modern') return this.#modern(message, request);
    if (this.#settings.era === 'modern')
      return errorAnswer(400, -32022, 'this server has no sessions: use revision 2026-07-28 or later', idOf(message));
    return this.#sessions.post(message, request);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#reaper);
    for (const { process } of this.#processes.values()) this.#sessions.end(process);
    this.#processes.clear();
    await this.#sessions.close();
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
          this.#forget(owner, gone);
        },
      });
      shared = { process, ready: this.#ready(owner, process) };
      this.#processes.set(owner, shared);
    }
    const { process, ready } = shared;
    try {
      await ready;
    } catch (error) {
      this.#forget(owner, process);
      throw error;
    }
    return process;
  }

  async #ready(owner: string, process: ModernProcess): Promise<void> {
    await this.#start(owner, () => process.start());
    if (this.#era === undefined) {
      this.#era = eraOf(await process.probe(discoverMessage(), this.#settings.probeMs));
      this.#settings.log.info({ server: this.name, era: this.#era }, 'the era of an MCP server is known');
    }
    if (this.#era === 'modern' && !this.#closed) return;
    this.#forget(owner, process);
    this.#sessions.end(process);
  }

  #forget(owner: string, process: ModernProcess): void {
    if (this.#processes.get(owner)?.process === process) this.#processes.delete(owner);
  }

  async #start<T>(owner: string, start: () => Promise<T>, counted = 0): Promise<T> {
    const { maxProcesses } = this.#settings;
    if (this.#sessions.size + this.#processes.size - counted >= maxProcesses)
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
    try {
      if (wait > 0) await sleep(wait);
      return await start();
    } catch (error) {
      this.#backoff(owner).failed(0);
      throw error;
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

  /** Ends what nobody has used for a while. */
  #reap(): void {
    for (const [owner, { process }] of this.#processes) {
      if (!process.over && process.idle() < this.#settings.idleMs) continue;
      this.#processes.delete(owner);
      this.#sessions.end(process);
    }
  }
}

/** A server that is a process of ours, made to answer like one over streamable HTTP. Nothing is started before it is needed. */
export const openStdioServer = (settings: StdioSettings): McpServer => new StdioServer(settings);
