import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { BeginEntry, EventEntry, SealEntry } from '../../../gateway/domain/receipt.ts';
import type { CallId, Digest } from '../../../gateway/domain/scalars.ts';
import { epochMs } from '../../../gateway/domain/scalars.ts';
import type { Log } from '../../../gateway/ports/log.ts';
import type { Spool, SpoolLine } from '../../../gateway/ports/spool.ts';

const digest = `sha256:${'0'.repeat(64)}` as Digest;
export const callId = (n: number) => `call_${String(n).padStart(26, '0')}` as CallId;

export function event(name: string, detail: EventEntry['detail'] = {}): EventEntry {
  return { kind: 'event', at: epochMs(1_760_000_000_000), name, detail };
}

export function begin(n: number): BeginEntry {
  return {
    kind: 'begin',
    id: callId(n),
    at: epochMs(1_760_000_000_000 + n),
    principal: { tenant: 'default', agent: 'coder' } as unknown as BeginEntry['principal'],
    step: 1,
    upstream: 'openai',
    dialect: 'openai-chat',
    model: 'gpt-5-mini',
    hold: { amount: '1200000', accounts: ['run:default/k1/r1:total'] },
  };
}

export function seal(n: number): SealEntry {
  return {
    kind: 'seal',
    id: callId(n),
    at: epochMs(1_760_000_000_000 + n),
    step: 1,
    attempt: 1,
    upstream: 'openai',
    dialect: 'openai-chat',
    model: 'gpt-5-mini',
    stream: false,
    status: 200,
    ending: 'completed',
    actions: [],
    cost_usd: '0.0012',
    latency_ms: 12,
    policy: digest,
    prices: digest,
  };
}

/** A folder that goes away with the test. */
export async function folderOfTest(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-audit-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function linesOf(spool: Spool, from = 1): Promise<SpoolLine[]> {
  const lines: SpoolLine[] = [];
  for await (const { seq, hash, entry } of spool.read(from)) lines.push({ seq, hash, entry });
  return lines;
}

export async function segmentsOf(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith('.jsonl')).sort();
}

/** A log that remembers its messages. */
export function memoryLog(): Log & { readonly messages: string[] } {
  const messages: string[] = [];
  const add = (fields: object, message: string) => void messages.push(`${message} ${JSON.stringify(fields)}`);
  return { messages, info: add, warn: add, error: add };
}
