import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import type { CallView, RunView } from '../../gateway/admin/views.ts';
import { loadConfig } from '../../gateway/config/load.ts';
import { type Running, startGateway } from '../../gateway/main.ts';
import { createLog } from '../../gateway/telemetry/log.ts';

const REPO = resolve(import.meta.dirname, '../..');

/** Lets everything pass. */
const ALLOW_ALL = 'policy: tollgate/v1\nname: open\ndefault: allow\nrules: []\n';

export interface TestGateOptions {
  /** upstream name → where it is and what it speaks */
  readonly upstreams: Readonly<
    Record<string, { base_url: string; dialects: string[]; prices?: string; routes?: unknown[]; credential?: unknown }>
  >;
  /** text of one policy file, or `starter` for the shipped bundle; default: allow all */
  readonly policy?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  /** an existing folder, to start again on the same state */
  readonly folder?: string;
}

export interface TestGate {
  readonly url: string;
  readonly office: string;
  readonly folder: string;
  readonly running: Running;
  calls(query?: string): Promise<CallView[]>;
  run(id: string): Promise<RunView>;
  /** waits until `count` calls are recorded and returns them, oldest first */
  sealed(count: number): Promise<CallView[]>;
  stop(): Promise<void>;
  /** stops and removes the folder */
  remove(): Promise<void>;
}

/** Writes a configuration into a folder of its own; returns its file. */
export function writeConfig(options: TestGateOptions): string {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'tollgate-test-'));
  const bundle = join(folder, 'policies', 'test');
  mkdirSync(bundle, { recursive: true });
  if (options.policy !== 'starter') writeFileSync(join(bundle, 'policy.yaml'), options.policy ?? ALLOW_ALL);
  const config = {
    listen: { port: 0 },
    office: { port: 0 },
    upstreams: options.upstreams,
    state: './data',
    policies: options.policy === 'starter' ? join(REPO, 'policies', 'starter') : './policies',
    pricing: join(REPO, 'pricing'),
    log: { level: process.env['TEST_LOG'] ?? 'silent' },
    ...options.config,
  };
  const file = join(folder, 'tollgate.yaml');
  writeFileSync(file, stringify(config));
  return file;
}

/** A real gate on free loopback ports, with state in a temporary folder. */
export async function startTestGate(options: TestGateOptions): Promise<TestGate> {
  const file = writeConfig(options);
  const config = loadConfig(file, readFileSync(file, 'utf8'), process.env);
  const running = await startGateway(config, {
    log: createLog({ level: config.log.level === 'debug' ? 'info' : config.log.level }),
  });
  const office = `http://127.0.0.1:${running.office.port}`;
  const json = async (path: string): Promise<unknown> => (await fetch(office + path)).json();
  const calls = async (query = ''): Promise<CallView[]> =>
    ((await json(`/api/calls?limit=1000${query}`)) as { calls: CallView[] }).calls;
  return {
    url: `http://127.0.0.1:${running.data.port}`,
    office,
    folder: config.folder,
    running,
    calls,
    run: async (id) => (await json(`/api/runs/${id}`)) as RunView,
    async sealed(count) {
      for (let i = 0; i < 200; i += 1) {
        const found = await calls();
        if (found.length >= count) return found.reverse();
        await new Promise((r) => setTimeout(r, 10));
      }
      throw new Error(`only ${(await calls()).length} of ${count} calls were recorded`);
    },
    stop: () => running.stop(),
    async remove() {
      await running.stop();
      rmSync(config.folder, { recursive: true, force: true });
    },
  };
}
