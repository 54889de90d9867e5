import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A Redis of our own: every write synced to its append-only file. */
export interface TestRedis {
  readonly url: string;
  readonly port: number;
  /** kill -9: what was not synced is gone */
  kill(): Promise<void>;
  /** Starts it again on the same files and port. */
  start(): Promise<void>;
  /** It stands still, its connections open: what a partition looks like. */
  freeze(): void;
  thaw(): void;
  /** Forgets everything it ever wrote; only while it is down. */
  wipe(): void;
  remove(): Promise<void>;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The server to test against. Throws where the machine has none: the tests of the shared store are never skipped. */
export function redisBinary(): string {
  for (const name of ['redis-server', 'valkey-server']) {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' });
      return name;
    } catch {
      // the next one, or the failure below
    }
  }
  throw new Error('neither `redis-server` nor `valkey-server` is installed; run `bash .ci/setup`');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts a server on a free loopback port, with further arguments of `redis-server`. */
export async function startRedis(...args: readonly string[]): Promise<TestRedis> {
  const binary = redisBinary();
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-redis-'));
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const base = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'yes'];
    child = spawn(binary, [...base, '--appendfsync', 'always', '--daemonize', 'no', ...args], { stdio: 'ignore' });
    await answering(port);
  };
  const kill = async (): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    kill,
    start,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    wipe: () => rmSync(join(folder, 'appendonlydir'), { recursive: true, force: true }),
    async remove() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Resolves when the server takes commands. */
async function answering(port: number): Promise<void> {
  for (let i = 0; i < 500; i += 1) {
    if (await pong(port)) return;
    await pause(10);
  }
  throw new Error(`the redis on port ${port} does not start`);
}

function pong(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => socket.write('PING\r\n'));
    socket.on('data', (data) => {
      socket.destroy();
      resolve(data.toString().startsWith('+PONG'));
    });
    socket.on('error', () => resolve(false));
  });
}
