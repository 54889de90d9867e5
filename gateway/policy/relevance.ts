import type { CompiledRule } from './compiled-rule.ts';
import type { Relevance } from './judge.ts';

/** No rule could apply, and silence allows. */
export const IRRELEVANT: Relevance = {
  any: false,
  detectors: [],
  binding: false,
  redacts: false,
  rehydrates: false,
  whole: false,
};

/** What the rules that could apply to a call need. */
export function relevanceOf(rules: readonly CompiledRule[], denies: boolean): Relevance {
  const detectors = new Set<string>();
  let binding = denies;
  let redacts = false;
  let rehydrates = false;
  let whole = false;
  for (const rule of rules) {
    for (const name of rule.detectors) detectors.add(name);
    whole ||= rule.whole;
    if (rule.mode !== 'enforce') continue;
    binding ||= rule.verdict === 'deny' || rule.verdict === 'escalate' || rule.verdict === 'transform';
    redacts ||= rule.changes.some((c) => c.op === 'redact' || c.op === 'replace');
    rehydrates ||= rule.changes.some((c) => c.op === 'rehydrate');
  }
  return { any: rules.length > 0, detectors: [...detectors].sort(), binding, redacts, rehydrates, whole };
}
