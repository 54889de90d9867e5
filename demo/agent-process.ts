import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** An agent of the demo: a program that was written without a thought of this gate. */
export interface DemoAgent {
  readonly name: string;
  readonly run: string;
  readonly provider: 'openai' | 'anthropic';
  readonly file: URL;
}

/** The one setting an agent has: where its provider is. The path names agent and run. */
export function baseUrlOf({ name, run, provider }: DemoAgent, gate: string): string {
  const base = `${gate}/run/${run}/agent/${name}/${provider}`;
  return provider === 'openai' ? `${base}/v1` : base;
}

/** Runs an agent as a child process and returns its lines. Rejects where it fails; ends it where `signal` aborts. */
export async function runAgent(agent: DemoAgent, gate: string, signal: AbortSignal): Promise<readonly string[]> {
  const name = agent.provider.toUpperCase();
  const child = spawn(process.execPath, [agent.file.pathname], {
    // nothing else of this shell's environment: no real key, no proxy, no header of another gateway
    env: {
      PATH: process.env['PATH'],
      [`${name}_BASE_URL`]: baseUrlOf(agent, gate),
      [`${name}_API_KEY`]: 'demo-not-a-key',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const [code, out, err] = await Promise.all([ended, linesOf(child.stdout), linesOf(child.stderr)]);
  if (code !== 0) throw new Error(`agent \`${agent.name}\` failed with exit code ${code}:\n${err.join('\n')}`);
  return out;
}

async function linesOf(input: NodeJS.ReadableStream): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of createInterface({ input })) lines.push(line);
  return lines;
}
