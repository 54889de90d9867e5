import fs from 'node:fs';

/** What the spool does to its folder, so that a test can make any one of it fail. Every method rejects with the system's error. */
export interface SpoolDisk {
  /** `write` resolves once data and length are on the disk: there is nothing left to sync */
  readonly writesThrough: boolean;
  /** Opens for writing, creating the file (mode 0600) where `create` says so. */
  open(path: string, create: boolean): Promise<number>;
  /** May write less than asked; resolves with the number of bytes written. */
  write(fd: number, bytes: Uint8Array, from: number, position: number): Promise<number>;
  /** Data and length are on the disk when it resolves. */
  sync(fd: number): Promise<void>;
  truncate(fd: number, length: number): Promise<void>;
  close(fd: number): Promise<void>;
  /** A created file's name is on the disk when it resolves. */
  syncFolder(path: string): Promise<void>;
}

type Done = (error: Error | null) => void;

function settle(start: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => start((error) => (error ? reject(error) : resolve())));
}

const opener =
  (flags: number): SpoolDisk['open'] =>
  (path, create) =>
    new Promise((resolve, reject) =>
      fs.open(path, create ? flags | fs.constants.O_CREAT : flags, 0o600, (error, fd) =>
        error ? reject(error) : resolve(fd),
      ),
    );

const { O_WRONLY, O_DSYNC } = fs.constants;

/** The real disk, through the thread pool: what is written is on it after `sync`. */
export const plainDisk: SpoolDisk = {
  writesThrough: false,
  open: opener(O_WRONLY),
  write: (fd, bytes, from, position) =>
    new Promise((resolve, reject) =>
      fs.write(fd, bytes, from, bytes.length - from, position, (error, written) =>
        error ? reject(error) : resolve(written),
      ),
    ),
  sync: (fd) => settle((done) => fs.fdatasync(fd, done)),
  truncate: (fd, length) => settle((done) => fs.ftruncate(fd, length, done)),
  close: (fd) => settle((done) => fs.close(fd, done)),
  syncFolder: async (path) => {
    const folder = await fs.promises.open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
};

/**
 * The real disk, written through: one errand for the thread pool instead of two. POSIX, open: with O_DSYNC a write completes as
 * `fdatasync` does. On macOS that does not empty the drive's cache, and Windows has no such flag: there, writes are synced afterwards.
 */
export const nodeDisk: SpoolDisk =
  process.platform === 'linux' ? { ...plainDisk, writesThrough: true, open: opener(O_WRONLY | O_DSYNC) } : plainDisk;
