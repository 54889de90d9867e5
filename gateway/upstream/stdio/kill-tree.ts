import { readdirSync, readFileSync } from 'node:fs';

/** Set in the environment of every process we start: its descendants inherit it, also where they left its group. */
export const MARK = 'TOLLGATE_MCP_PROCESS';

/** Sends a signal to a process group; false: there is no such group any more. */
function signalGroup(group: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    // EPERM: what is left of the group belongs to another user (setuid); there is nothing we may send to it
    if ((error as NodeJS.ErrnoException).code === 'EPERM') return false;
    throw error;
  }
}

/** Processes that carry our mark. Linux only; elsewhere the process group is all there is. */
function marked(mark: string): number[] {
  if (process.platform !== 'linux') return [];
  const needle = Buffer.from(`${MARK}=${mark}\0`);
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`).includes(needle);
      } catch {
        // gone meanwhile, or another user's: not ours
        return false;
      }
    });
}

/** Sends a signal to the group and to every descendant that left it. True: somebody was there to get it. */
export function signalTree(group: number, mark: string, signal: NodeJS.Signals): boolean {
  let reached = signalGroup(group, signal);
  for (const pid of marked(mark)) {
    try {
      process.kill(pid, signal);
      reached = true;
    } catch (error) {
      if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  return reached;
}
