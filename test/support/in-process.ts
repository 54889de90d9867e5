import { vi } from 'vitest';
import { runCommandLine } from '../../gateway/cli/program.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs one command of the command line in this process: what it printed and the exit code it set. One at a time. */
export async function inProcess(...args: readonly string[]): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const into = (lines: string[]) => (chunk: unknown) => {
    lines.push(String(chunk));
    return true;
  };
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(into(out)),
    vi.spyOn(process.stderr, 'write').mockImplementation(into(err)),
    vi.spyOn(console, 'error').mockImplementation((line: unknown) => void err.push(`${line}\n`)),
  ];
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    await runCommandLine(['node', 'tollgate', ...args]);
    return { code: Number(process.exitCode ?? 0), out: out.join(''), err: err.join('') };
  } finally {
    process.exitCode = before;
    for (const spy of spies) spy.mockRestore();
  }
}
