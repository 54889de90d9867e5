import { type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';

/** How long files must be at rest before a change counts, so that no half-written file is read. */
const REST_MS = 200;
/** `fs.watch` misses changes on some mounts; the files' times are compared this often. */
const POLL_MS = 3_000;

export interface WatchTimes {
  readonly restMs?: number;
  readonly pollMs?: number;
}

/** What the YAML files of a folder look like from outside; a folder that cannot be read looks like nothing else. */
function looks(folder: string, inner = false): string {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter(({ name }) => !name.startsWith('.'))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((entry) => {
        const path = join(folder, entry.name);
        const file = statSync(path);
        if (file.isDirectory()) return inner ? '' : looks(path, true);
        return /\.ya?ml$/.test(entry.name) ? `${path} ${file.ino} ${file.size} ${file.mtimeMs} ${file.ctimeMs}` : '';
      })
      .filter((line) => line !== '')
      .join('\n');
  } catch (error) {
    return `${folder} ${error instanceof Error ? error.message : 'unreadable'}`;
  }
}

/**
 * Calls `onChange` once for each change of a YAML file in the folders, when it has come to rest; `list` is asked again each time, for
 * what is read may name further folders. Kubernetes' symlinked mounts and file systems without notifications are covered by a poll.
 * Returns how to stop.
 */
export function watchFiles(list: () => readonly string[], onChange: () => void, times: WatchTimes = {}): () => void {
  const { restMs = REST_MS, pollMs = POLL_MS } = times;
  const folders = (): string[] => [...new Set(list())];
  const look = (): string =>
    folders()
      .map((folder) => looks(folder))
      .join('\n\n');
  let known = look();
  let seen = known;
  let rest: NodeJS.Timeout | undefined;
  let stopped = false;
  const settle = (): void => {
    rest = undefined;
    const now = look();
    if (stopped) return;
    watchers.follow(folders().flatMap(within));
    if (now !== seen) return wait(now);
    if (now === known) return;
    known = now;
    onChange();
    // a folder that is new is looked at once more, lest a change slips in before it is watched
    check();
  };
  const wait = (now: string): void => {
    if (stopped) return;
    seen = now;
    clearTimeout(rest);
    rest = setTimeout(settle, restMs).unref();
  };
  const check = (): void => {
    const now = look();
    if (now !== (rest === undefined ? known : seen)) wait(now);
  };
  const watchers = new Watchers(check);
  watchers.follow(folders().flatMap(within));
  const poll = setInterval(check, pollMs).unref();
  return () => {
    stopped = true;
    clearTimeout(rest);
    clearInterval(poll);
    watchers.close();
  };
}

/** Watches folders and the folders in them, each by itself: Node's own recursive watch does not survive a removed folder on Linux. */
class Watchers {
  readonly #open = new Map<string, FSWatcher>();
  readonly #check: () => void;

  constructor(check: () => void) {
    this.#check = check;
  }

  /** Opens what is new and closes what is gone. Where the system cannot watch, the poll has to do: slower, never silent. */
  follow(folders: readonly string[]): void {
    for (const [path, watcher] of this.#open) {
      if (folders.includes(path)) continue;
      watcher.close();
      this.#open.delete(path);
    }
    for (const path of folders) {
      if (this.#open.has(path)) continue;
      try {
        const watcher = watch(path, { persistent: false }, this.#check);
        watcher.on('error', () => watcher.close());
        this.#open.set(path, watcher);
      } catch {
        this.#open.delete(path);
      }
    }
  }

  close(): void {
    this.follow([]);
  }
}

/** A folder and the folders in it. */
function within(folder: string): string[] {
  try {
    const inner = readdirSync(folder, { withFileTypes: true }).filter(
      (e) => e.isDirectory() && !e.name.startsWith('.'),
    );
    return [folder, ...inner.map(({ name }) => join(folder, name))];
  } catch {
    return [];
  }
}
