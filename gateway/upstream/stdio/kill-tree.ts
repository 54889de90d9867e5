import { readdirSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';

/** Set in the environment of every process we start: its descendants inherit it, also where they left its group. */
export const MARK = 'TOLLGATE_MCP_PROCESS';

/** Sends a signal to a process, or to a group where `pid` is negative. One that is gone, or another user's (setuid), gets none. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

const isPid = (name: string): boolean => /^[0-9]+$/.test(name);
const environOf = (pid: string): string => `/proc/${pid}/environ`;
const needleOf = (mark: string): Buffer => Buffer.from(`${MARK}=${mark}\0`);

/** Sends a signal to the group and to every descendant that left it. Finds the latter on Linux only; elsewhere the group is all there is. */
export async function signalTree(group: number, mark: string, name: NodeJS.Signals): Promise<void> {
  signal(-group, name);
  if (process.platform !== 'linux') return;
  const needle = needleOf(mark);
  for (const pid of (await readdir('/proc')).filter(isPid)) {
    // gone meanwhile, or another user's: not ours
    const environ = await readFile(environOf(pid)).catch(() => undefined);
    if (environ?.includes(needle)) signal(Number(pid), name);
  }
}

/** The same at once, for a process that is about to end itself. */
export function killTreeNow(group: number, mark: string): void {
  signal(-group, 'SIGKILL');
  if (process.platform !== 'linux') return;
  const needle = needleOf(mark);
  for (const pid of readdirSync('/proc').filter(isPid)) {
    try {
      if (readFileSync(environOf(pid)).includes(needle)) signal(Number(pid), 'SIGKILL');
    } catch {
      // gone meanwhile, or another user's: not ours
    }
  }
}
