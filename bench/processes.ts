import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { Ask, Told } from './answer-parent.ts';

/** A process of the bench that listens on loopback. */
export interface Server {
  readonly origin: string;
  /** user and system time of the whole process so far, in microseconds */
  cpu(): Promise<number>;
  /** Ends it; resolves with what it had to say. */
  stop(): Promise<string | undefined>;
}

function next<K extends Told['kind']>(child: ChildProcess, kind: K): Promise<Extract<Told, { kind: K }>> {
  return new Promise((resolve, reject) => {
    const heard = (told: Told): void => {
      if (told.kind !== kind) return;
      child.off('message', heard).off('exit', left);
      resolve(told as Extract<Told, { kind: K }>);
    };
    const left = (code: number | null): void => {
      reject(new Error(`\`${child.spawnfile} ${child.spawnargs.slice(1).join(' ')}\` ended with code ${code}`));
    };
    child.on('message', heard).once('exit', left);
  });
}

/** The processes of one bench, which end with it. */
export class Servers {
  readonly #up: Server[] = [];

  /** Starts one of the bench's processes; `profile`: a folder that gets its CPU profile. */
  async start(file: string, args: readonly string[], profile?: string): Promise<Server> {
    const server = await start(file, args, profile);
    this.#up.unshift(server);
    return server;
  }

  /** Ends one; resolves with what it had to say, and rejects where it failed. */
  stop(server: Server): Promise<string | undefined> {
    this.#up.splice(this.#up.indexOf(server), 1);
    return server.stop();
  }

  /** Ends the others, the last one first, whatever became of them. */
  async stopAll(): Promise<void> {
    for (const server of this.#up.splice(0)) await Promise.allSettled([server.stop()]);
  }
}

async function start(file: string, args: readonly string[], profile?: string): Promise<Server> {
  // as `npm run tollgate` starts the gate (ADR 43); all that are compared have it
  const execArgv = ['--use-largepages=silent', '--disable-warning=ExperimentalWarning'];
  if (profile !== undefined) execArgv.push('--cpu-prof', `--cpu-prof-dir=${profile}`);
  const child = fork(join(import.meta.dirname, file), args, {
    execArgv,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const { port } = await next(child, 'ready');
  const ask = (what: Ask): void => {
    child.send(what);
  };
  return {
    origin: `http://127.0.0.1:${port}`,
    async cpu() {
      const answer = next(child, 'cpu');
      ask('cpu');
      return (await answer).us;
    },
    async stop() {
      const answer = next(child, 'stopped');
      ask('stop');
      const { note } = await answer;
      if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
      return note;
    },
  };
}
