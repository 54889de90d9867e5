import { createHash } from 'node:crypto';
import type { Action, TextPart } from '../../../gateway/domain/action.ts';
import type { PlacedFinding } from '../../../gateway/domain/finding.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { epochMs } from '../../../gateway/domain/scalars.ts';
import type { Snapshot } from '../../../gateway/domain/snapshot.ts';
import { compilePolicy } from '../../../gateway/policy/compile-policy.ts';
import type { Judge } from '../../../gateway/policy/judge.ts';
import type { KnownDetector } from '../../../gateway/policy/known-detectors.ts';
import { PolicyFault } from '../../../gateway/policy/policy-fault.ts';

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export const DETECTORS: readonly KnownDetector[] = [
  { name: 'secrets', kinds: ['secret.aws_access_key', 'secret.jwt'] },
  { name: 'pii', kinds: ['pii.email', 'pii.phone'] },
];

const HEAD = 'policy: tollgate/v1\nname: t\ndefault: allow\n';

/** A judge over one bundle `t`; `rules` is the YAML below `rules:`, `head` replaces what stands above. */
export function judge(rules: string, head = HEAD): Judge {
  return compilePolicy([{ path: 'policies/t/policy.yaml', text: `${head}rules:\n${rules}` }], sha256, DETECTORS);
}

/** A judge over several bundles by name. */
export function bundles(texts: Readonly<Record<string, string>>): Judge {
  const files = Object.entries(texts).map(([name, text]) => ({ path: `policies/${name}/policy.yaml`, text }));
  return compilePolicy(files, sha256, DETECTORS);
}

/** A rule in one line of YAML at `pre_tool_call` unless `more` says otherwise. */
export const rule = (id: string, more: string): string =>
  `  - { id: ${id}, ${more.includes('at:') ? '' : 'at: pre_tool_call, '}${more} }\n`;

/** `line:column message` of every mistake a policy text has; fails where it loads. */
export function mistakes(text: string): string[] {
  try {
    compilePolicy([{ path: 'p/policy.yaml', text }], sha256, DETECTORS);
  } catch (error) {
    if (error instanceof PolicyFault) return error.problems.map((p) => `${p.line}:${p.column} ${p.message}`);
    throw error;
  }
  throw new Error('the policy loaded');
}

const textParts = (target: Json, at = ''): TextPart[] => {
  if (typeof target === 'string') return [{ at, text: target }];
  if (typeof target !== 'object' || target === null) return [];
  return Object.entries(target).flatMap(([k, v]) => textParts(v as Json, `${at}/${k}`));
};

type Loose = { readonly [K in keyof Omit<Snapshot, 'action' | 'now'>]?: Partial<Snapshot[K]> } & {
  readonly now?: string;
  readonly action?: Partial<Action>;
};

/** A snapshot of an unremarkable `pre_tool_call` of `bash`, with what a test changes. */
export function snapshot(change: Loose = {}): Snapshot {
  const { now, action, ...rest } = change;
  const target: Json = action?.target ?? { command: 'ls' };
  const base = {
    request: { headers: {}, path: '/', ip: '127.0.0.1' },
    agent: { id: 'coder', name: 'coder', tier: 'gold', verified: true },
    human: { id: 'mo', email: 'mo@example.com', groups: ['dev'], verified: true },
    tenant: { id: 'acme' },
    delegation: { depth: 0, chain: [], scopes: [] },
    run: {
      id: 'run-1',
      steps: 3,
      spent_usd: 0.5,
      elapsed_s: 10,
      labels: [],
      tools: ['bash'],
      calls: new Map([['bash', 2]]),
      identical_calls: 1,
      cycle: { period: 0, repeats: 0 },
      velocity_usd_per_min: 0,
    },
    budget: {},
    quote: { max_usd: 0.02, expected_usd: 0.01, priced: true, bounded: true },
    usage: { input: 0, output: 0, cache_read: 0, cache_write: 0 },
  };
  const merged = Object.fromEntries(
    Object.entries(base).map(([k, v]) => [k, { ...v, ...((rest as Record<string, object>)[k] ?? {}) }]),
  ) as unknown as Omit<Snapshot, 'now' | 'action' | 'cost_usd' | 'findings'>;
  return {
    ...merged,
    now: epochMs(Date.parse(now ?? '2026-06-01T12:00:00Z')),
    action: {
      point: 'pre_tool_call',
      plane: 'llm',
      tool: { name: 'bash' },
      ...action,
      target,
      parts: action?.parts ?? textParts(target),
    },
    cost_usd: (rest.cost_usd as number | undefined) ?? 0,
    findings: (rest.findings as readonly PlacedFinding[] | undefined) ?? [],
    tokens: rest.tokens as Snapshot['tokens'],
  };
}

export function found(kind: string, at: string, start: number, end: number): PlacedFinding {
  return { kind, at, start, end, confidence: 1, status: 'found' };
}

export const failed = (kind: string): PlacedFinding => ({
  kind,
  at: '',
  start: 0,
  end: 0,
  confidence: 0,
  status: 'unknown',
});

/** Every string leaf of a target as a part, some of them frozen. */
export const parts = (target: Json, frozen: readonly string[] = []): TextPart[] =>
  textParts(target).map((p) => (frozen.includes(p.at) ? { ...p, frozen: 'signed' } : p));
