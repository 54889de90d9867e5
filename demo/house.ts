import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { loadConfig } from '../gateway/config/load.ts';
import { type Running, startGateway } from '../gateway/main.ts';
import { anthropicModel, openAiModel } from './models.ts';
import { startAnthropicSim } from './sim/anthropic-sim.ts';
import { startOpenAiSim } from './sim/openai-sim.ts';
import type { Sim } from './sim/simulated-upstream.ts';

export const RUN_LIMIT_USD = '0.05';

/** Everything the demo starts: two simulated providers and a gate with its own temporary folder. */
export interface House {
  /** the data door: agents' base URLs begin with it */
  readonly url: string;
  readonly office: string;
  readonly rules: number;
  readonly sims: readonly Sim[];
  /** where the record lies */
  readonly spool: string;
  /** Stops gate and providers and removes the folder. */
  close(): Promise<void>;
}

const ROOT = resolve(import.meta.dirname, '..');

const configText = (openai: string, anthropic: string): string => `
listen: { port: 0 }
office: { port: 0 }
upstreams:
  openai:    { base_url: ${openai}, dialects: [openai-chat], routes: [models] }
  anthropic: { base_url: ${anthropic}, dialects: [anthropic-messages], routes: [models] }
state: ./data
policies: ${JSON.stringify(join(ROOT, 'policies/starter'))}
pricing: ${JSON.stringify(join(ROOT, 'pricing'))}
budgets:
  - { scope: run, limit_usd: ${RUN_LIMIT_USD} }
log: { level: error }
limits: { shutdown_s: 1 }
`;

/** Starts providers and gate on free loopback ports. What was started is closed again where a later part fails. */
export async function openHouse(): Promise<House> {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-demo-'));
  const sims: Sim[] = [];
  let gate: Running | undefined;
  const close = async (): Promise<void> => {
    try {
      await gate?.stop();
      await Promise.all(sims.map((sim) => sim.close()));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  try {
    const openai = await startOpenAiSim({ script: openAiModel });
    sims.push(openai);
    const anthropic = await startAnthropicSim({ script: anthropicModel, chunkDelayMs: 8 });
    sims.push(anthropic);
    const file = join(folder, 'tollgate.yaml');
    writeFileSync(file, configText(openai.url, anthropic.url));
    gate = await startGateway(loadConfig(file, readFileSync(file, 'utf8'), {}));
    const urlOf = ({ host, port }: Running['data']): string => `http://${host}:${port}`;
    const spool = join(folder, 'data', 'spool');
    return { url: urlOf(gate.data), office: urlOf(gate.office), rules: gate.rules, sims, spool, close };
  } catch (error) {
    await close();
    throw error;
  }
}
