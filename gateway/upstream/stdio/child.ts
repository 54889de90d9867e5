import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../../domain/fault.ts';
import { killTreeNow, MARK, signalTree } from './kill-tree.ts';
import { LineSplitter } from './line-splitter.ts';

/** What to start: from the configuration file and from nowhere else (CVE-2026-42271). */
export interface Command {
  readonly command: readonly string[];
  /** set for the process, beside PATH, HOME, LANG and TZ of the gate */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

export interface ChildEvents {
  line(bytes: Uint8Array): void;
  tooLong(): void;
  stderr(chunk: Uint8Array): void;
  /** it is over, and every line it wrote was delivered; `how` is for people: `exit code 1` */
  gone(how: string): void;
}

/** The gate's own variables that a server gets. Anything else, above all keys, has to be named in its `env`. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'TZ'];
/** How long a process has after its stdin was closed, and again after TERM. */
const GRACE_MS = 2_000;
/** How long output that is still in the pipe may take after the process is gone: a descendant may hold the pipe open. */
const LAST_WORDS_MS = 250;
/** Bytes a process may leave unread before it is taken for stuck. */
const UNREAD = 64 * 1024 * 1024;

function environment(env: Command['env'], mark: string): Record<string, string> {
  const own = INHERITED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  return { ...Object.fromEntries(own), ...env, [MARK]: mark };
}

const living = new Set<Child>();
let watching = false;

/** The gate itself is about to be gone: nothing it started may stay. */
function killAll(): void {
  for (const child of living) child.killNow();
}

/** One server process with its own group. It is over when `gone` was called. */
export class Child {
  readonly pid: number;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #mark: string;
  readonly #ended: Promise<void>;
  #exited = false;
  #ending: Promise<void> | undefined;

  constructor(process: ChildProcessWithoutNullStreams, mark: string, limit: number, events: ChildEvents) {
    this.#process = process;
    this.#mark = mark;
    this.pid = process.pid as number;
    const lines = new LineSplitter(limit, { line: events.line, tooLong: events.tooLong });
    process.stdout.on('data', (chunk: Uint8Array) => lines.push(chunk));
    process.stderr.on('data', (chunk: Uint8Array) => events.stderr(chunk));
    // a pipe that breaks is told by the end of the process
    for (const pipe of [process.stdin, process.stdout, process.stderr]) pipe.on('error', () => undefined);
    this.#ended = new Promise((resolve, reject) => {
      process.once('exit', (code, signal) => {
        this.#exited = true;
        const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
        const patience = setTimeout(() => {
          process.stdout.destroy();
          process.stderr.destroy();
        }, LAST_WORDS_MS);
        process.once('close', () => {
          clearTimeout(patience);
          lines.end();
          events.gone(how);
          // whatever it started and left behind ends with it
          this.#signal('SIGKILL').then(() => {
            living.delete(this);
            resolve();
          }, reject);
        });
        process.stdout.resume();
      });
    });
  }

  get alive(): boolean {
    return !this.#exited && this.#ending === undefined;
  }

  /** Throws a Fault (`TG_UPSTREAM_BROKE`) where the process does not read what it is sent. */
  write(line: Uint8Array): void {
    const { stdin } = this.#process;
    if (stdin.writableLength > UNREAD)
      throw new Fault(
        'TG_UPSTREAM_BROKE',
        'the server process does not read what it is sent; the request was not served',
      );
    if (stdin.writable) stdin.write(line);
  }

  pause(): void {
    this.#process.stdout.pause();
  }

  resume(): void {
    this.#process.stdout.resume();
  }

  /** Kills it at once with everything it started: the gate itself is about to end. */
  killNow(): void {
    killTreeNow(this.pid, this.#mark);
  }

  /** Ends it: stdin is closed, then TERM, then KILL for all it started. Resolves when it is gone. */
  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    this.#process.stdin.end();
    this.#process.stdout.resume();
    if (await this.#goneWithin(GRACE_MS)) return;
    await this.#signal('SIGTERM');
    if (await this.#goneWithin(GRACE_MS)) return;
    await this.#signal('SIGKILL');
    await this.#ended;
  }

  #signal(name: NodeJS.Signals): Promise<void> {
    return signalTree(this.pid, this.#mark, name);
  }

  async #goneWithin(ms: number): Promise<boolean> {
    const patience = new AbortController();
    const late = sleep(ms, false, { signal: patience.signal }).catch(() => false);
    const gone = await Promise.race([this.#ended.then(() => true), late]);
    patience.abort();
    return gone;
  }
}

/**
 * Starts a process without a shell, in a group of its own, with an environment that is listed. Lines longer than `limit` bytes are
 * reported and not kept. Throws a Fault (`TG_UPSTREAM_UNREACHABLE`) where it cannot be started.
 */
export function startChild(command: Command, limit: number, events: ChildEvents): Promise<Child> {
  const [program, ...args] = command.command as [string, ...string[]];
  const mark = randomUUID();
  const { cwd, uid, gid } = command;
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException): void =>
      reject(
        new Fault(
          'TG_UPSTREAM_UNREACHABLE',
          `the server process cannot be started (${(error.code ?? 'unknown').toLowerCase()}); check its \`command\` and \`cwd\` in the configuration`,
          error,
        ),
      );
    try {
      const options = { cwd, shell: false, detached: true, windowsHide: true, stdio: 'pipe' } as const;
      const started = spawn(program, args, {
        ...options,
        env: environment(command.env, mark),
        ...(uid !== undefined && { uid }),
        ...(gid !== undefined && { gid }),
      });
      started.on('error', refuse);
      started.once('spawn', () => {
        const child = new Child(started, mark, limit, events);
        if (!watching) process.once('exit', killAll);
        watching = true;
        living.add(child);
        resolve(child);
      });
    } catch (error) {
      refuse(error as NodeJS.ErrnoException);
    }
  });
}
