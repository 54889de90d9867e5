import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';

const PROGRAM = resolve(import.meta.dirname, '../../bin/tollgate.mjs');

/** A gate in a process of its own, as `tollgate serve` starts it. */
export interface ChildGate {
  readonly url: string;
  readonly office: string;
  readonly pid: number;
  /** Sends a signal and resolves with the exit code once the process is gone; undefined where a signal ended it. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | undefined>;
}

/** Starts `tollgate serve` on a configuration of `writeConfig`; resolves when both doors are open. Rejects with its output if it ends. */
export async function startChildGate(configFile: string): Promise<ChildGate> {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', PROGRAM, 'serve', '--config', configFile],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await new Promise<void>((ready, fail) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('  office: ')) ready();
    });
    child.once('exit', (code) => fail(new Error(`the gate ended with ${code}: ${output}`)));
  });
  const url = /listening on (\S+)/.exec(output)?.[1];
  const office = /office: (http:\/\/[^/]+)/.exec(output)?.[1];
  if (!url || !office) throw new Error(`the gate did not say where it listens: ${output}`);
  return { url, office, pid: child.pid as number, end: (signal) => end(child, signal) };
}

async function end(child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<number | undefined> {
  if (child.exitCode === null && child.signalCode === null) {
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }
  return child.exitCode ?? undefined;
}
