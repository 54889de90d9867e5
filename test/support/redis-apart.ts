import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { redisBinary } from './redis-server.ts';

/** One way to a Redis that lives in a network namespace of its own. */
export interface Way {
  readonly url: string;
  /** Nothing passes, in neither direction. */
  cut(): void;
  /** What is sent arrives and is done; no answer comes back. */
  deafen(): void;
  mend(): void;
}

export interface ApartRedis {
  readonly ways: readonly [Way, Way];
  remove(): Promise<void>;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function ip(...args: readonly string[]): void {
  try {
    execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    const said = String((error as { stderr?: Buffer }).stderr ?? error).trim();
    throw new Error(
      `\`ip ${args.join(' ')}\` failed (${said}); network namespaces need root and iproute2: run \`bash .ci/setup\` as root`,
    );
  }
}

let started = 0;

/** Starts a Redis in a namespace of its own, with two links to it, each of which can be cut by itself. */
export async function startRedisApart(): Promise<ApartRedis> {
  // A namespace goes some time after it was deleted, so each start has names of its own; those of interfaces have at most 15 characters.
  started += 1;
  const name = `tg${process.pid % 100_000}x${started}`;
  const net = 100 + ((process.pid + started) % 100);
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-apart-'));
  let child: ChildProcess | undefined;
  const end = async (): Promise<void> => {
    if (child?.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }
    ip('netns', 'del', name);
    rmSync(folder, { recursive: true, force: true });
  };
  ip('netns', 'add', name);
  try {
    ip('-n', name, 'link', 'set', 'lo', 'up');
    const ways = [0, 1].map((i) => link(name, net, i)) as unknown as readonly [Way, Way];
    const args = ['--port', '6379', '--bind', '0.0.0.0', '--protected-mode', 'no', '--dir', folder, '--save', ''];
    child = spawn('ip', ['netns', 'exec', name, redisBinary(), ...args, '--appendonly', 'yes'], { stdio: 'ignore' });
    await listening(`10.${net}.0.2`);
    return { ways, remove: end };
  } catch (error) {
    await end();
    throw error;
  }
}

function link(name: string, net: number, i: number): Way {
  const [here, there] = [`${name}h${i}`, `${name}n${i}`];
  ip('link', 'add', here, 'type', 'veth', 'peer', 'name', there, 'netns', name);
  ip('addr', 'add', `10.${net}.${i}.1/24`, 'dev', here);
  ip('link', 'set', here, 'up');
  ip('-n', name, 'addr', 'add', `10.${net}.${i}.2/24`, 'dev', there);
  ip('-n', name, 'link', 'set', there, 'up');
  const back = `10.${net}.${i}.1/32`;
  let broken: 'cut' | 'deaf' | undefined;
  return {
    url: `redis://10.${net}.${i}.2:6379`,
    cut() {
      broken = 'cut';
      ip('-n', name, 'link', 'set', there, 'down');
    },
    deafen() {
      broken = 'deaf';
      ip('-n', name, 'route', 'add', 'blackhole', back);
    },
    mend() {
      if (broken === 'cut') ip('-n', name, 'link', 'set', there, 'up');
      if (broken === 'deaf') ip('-n', name, 'route', 'del', 'blackhole', back);
      broken = undefined;
    },
  };
}

async function listening(host: string): Promise<void> {
  for (let i = 0; i < 300; i += 1) {
    const there = await new Promise<boolean>((resolve) => {
      const socket = createConnection({ host, port: 6379 });
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (there) return;
    await pause(20);
  }
  throw new Error('the redis in the namespace does not start');
}
