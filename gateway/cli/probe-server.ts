import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import type { McpConfig } from '../config/mcp-schema.ts';
import { startGateway } from '../main.ts';
import { createLog } from '../telemetry/log.ts';
import { listServer } from './list-server.ts';
import { type DeskEntry, pinDesk } from './pin-desk.ts';

/** One tool as a server showed it just now. */
export interface ProbedTool {
  readonly name: string;
  readonly standing: 'approved' | 'waiting' | 'quarantined' | 'gone';
  /** why it is not approved, '' where it is */
  readonly why: string;
}

/** What came of reaching a server. */
export interface Probed {
  /** what stood in the way, for people; absent where it answered */
  readonly error?: string;
  /** the revision it speaks */
  readonly version?: string | undefined;
  /** name and version by its own account */
  readonly says?: string | undefined;
  readonly ms: number;
  readonly tools: readonly ProbedTool[];
}

const PLAIN = JSON.stringify({
  listen: { port: 0 },
  office: { port: 0 },
  state: './data',
  policies: './policies',
  log: { level: 'silent' },
  // stands for the one that is looked at
  mcp: { servers: { none: { url: 'http://127.0.0.1:9/mcp' } } },
});
const LOOKS_ON = 'policy: tollgate/v1\nname: probe\ndefault: allow\nrules: []\n';

/**
 * Reaches one server of a configuration through a gate of its own: same adapters, environment, credential and pins as the real one, with a
 * state folder that is gone afterwards, so that a gate may be running beside it and nothing is approved or recorded.
 */
export async function probeServer(config: LoadedConfig, name: string): Promise<Probed> {
  const server = config.mcp?.servers[name];
  if (!config.mcp || !server) throw new Error(`no server \`${name}\``);
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-mcp-test-'));
  const began = performance.now();
  const pins = { ...config.mcp.pins, file: resolve(config.folder, config.mcp.pins.file), mode: 'locked' as const };
  const mcp: McpConfig = { ...config.mcp, servers: { [name]: server }, pins, oauth: undefined, allowed_origins: [] };
  try {
    mkdirSync(join(folder, 'policies', 'probe'), { recursive: true });
    writeFileSync(join(folder, 'policies', 'probe', 'policy.yaml'), LOOKS_ON);
    const plain = loadConfig(join(folder, 'tollgate.yaml'), PLAIN, {});
    // what the server's entry names is relative to the real file
    const { folder: home, limits, pricing } = config;
    const alone: LoadedConfig = { ...plain, folder: home, limits, mcp, ...(pricing !== undefined && { pricing }) };
    const gate = await startGateway(alone, { log: createLog({ level: 'silent' }) });
    try {
      const said = await listServer(`http://127.0.0.1:${gate.data.port}/mcp/${name}`);
      const ms = Math.round(performance.now() - began);
      if ('error' in said) return { error: said.error, ms, tools: [] };
      return { ...said, ms, tools: standings(alone, config, name) };
    } finally {
      await gate.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the gate's own pins say of what the server showed; what `first-use` took in the real state counts as approved. */
function standings(probe: LoadedConfig, real: LoadedConfig, name: string): readonly ProbedTool[] {
  const taken = real.mcp?.pins.mode === 'first-use' ? pinDesk(real, ({ store }) => [...store.trusted()]) : [];
  const isTaken = (entry: DeskEntry): boolean =>
    taken.some((t) => t.server === name && t.kind === entry.kind && t.name === entry.name && t.hash === entry.hash);
  return pinDesk(probe, ({ entries }) =>
    entries
      .filter(({ server, kind }) => server === name && kind === 'tool')
      .map((entry): ProbedTool => {
        if (entry.state === 'unseen')
          return { name: entry.name, standing: 'gone', why: 'approved, and not offered any more' };
        if (entry.state === 'approved' || isTaken(entry)) return { name: entry.name, standing: 'approved', why: '' };
        return { name: entry.name, standing: entry.state, why: entry.why };
      }),
  );
}
