import type { BeginEntry, EventEntry, SealEntry } from '../../../gateway/domain/receipt.ts';
import type { CallId, Digest } from '../../../gateway/domain/scalars.ts';
import { epochMs } from '../../../gateway/domain/scalars.ts';

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
