import { tokenWord } from '../domain/finding.ts';
import type { Json } from '../domain/json.ts';
import type { Transform } from './bundle-schema.ts';
import { parseGlob } from './glob.ts';
import { type FindingFilter, findingFilter, type KnownDetector } from './known-detectors.ts';
import { compilePattern } from './linear-pattern.ts';
import type { RuleReport } from './rule-report.ts';
import type { Change } from './transform.ts';

/** Compiles the transforms of a rule; `detectors` are those whose findings it redacts. */
export function compileChanges(
  items: readonly Transform[],
  rule: number,
  known: readonly KnownDetector[],
  report: RuleReport,
): { readonly changes: readonly Change[]; readonly detectors: readonly string[] } {
  const detectors = new Set<string>();
  const changes = items.flatMap((item, i) => {
    const change = compileChange(item, ['transform', i], rule, known, detectors, report);
    return change ? [change] : [];
  });
  return { changes, detectors: [...detectors] };
}

function compileChange(
  item: Transform,
  path: readonly PropertyKey[],
  rule: number,
  known: readonly KnownDetector[],
  detectors: Set<string>,
  report: RuleReport,
): Change | undefined {
  if ('set' in item) return { op: 'set', at: item.set, to: item.to as Json };
  if ('remove' in item) return { op: 'remove', at: item.remove };
  if ('cap' in item) return { op: 'cap', to: item.to };
  if ('truncate' in item) return { op: 'truncate', at: item.truncate, to: item.to };
  if ('allow_only' in item) return { op: 'allow_only', at: item.allow_only, of: item.of };
  if ('hide' in item) return { op: 'hide', tools: [item.hide].flat().map(parseGlob) };
  if ('prepend' in item) return { op: 'prepend', note: item.prepend, at: item.in };
  if ('rehydrate' in item) {
    const filter = named(item.rehydrate, [...path, 'rehydrate'], known, report);
    if (!filter) return undefined;
    const words = new Set([...filter.kinds].map(tokenWord));
    return { op: 'rehydrate', rehydration: { covers: filter.coversKind, words, at: item.in } };
  }
  if ('redact' in item) {
    if (item.keep !== undefined && item.as !== 'mask')
      report.at([...path, 'keep'], `\`keep\` needs \`as: mask\`, not \`as: ${item.as}\``, { key: true });
    const filter = named(item.redact, [...path, 'redact'], known, report);
    if (!filter) return undefined;
    for (const detector of filter.detectors) detectors.add(detector);
    return { op: 'redact', redaction: { rule, as: item.as, keep: item.keep, covers: filter.covers } };
  }
  try {
    return { op: 'replace', pattern: compilePattern(item.replace), by: item.with, at: item.in };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    report.at([...path, 'replace'], error.message);
    return undefined;
  }
}

/** The findings a transform names; undefined where one of the names is a mistake. */
function named(
  names: string | readonly string[],
  path: readonly PropertyKey[],
  known: readonly KnownDetector[],
  report: RuleReport,
): FindingFilter | undefined {
  for (const [i, name] of [names].flat().entries()) {
    const wrong = findingFilter([name], known);
    if (typeof wrong === 'string') report.at([...path, ...(typeof names === 'string' ? [] : [i])], wrong);
  }
  const all = findingFilter([names].flat(), known);
  return typeof all === 'string' ? undefined : all;
}
