import type { Json } from '../domain/json.ts';
import type { Transform } from './bundle-schema.ts';
import { parseGlob } from './glob.ts';
import { findingFilter, type KnownDetector } from './known-detectors.ts';
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
  if ('redact' in item) {
    const kinds = [item.redact].flat();
    const filters = kinds.map((kind) => findingFilter([kind], known));
    for (const [k, filter] of filters.entries()) {
      if (typeof filter === 'string')
        report.at([...path, 'redact', ...(typeof item.redact === 'string' ? [] : [k])], filter);
      else for (const detector of filter.detectors) detectors.add(detector);
    }
    const all = findingFilter(kinds, known);
    return typeof all === 'string' ? undefined : { op: 'redact', redaction: { rule, as: item.as, covers: all.covers } };
  }
  try {
    return { op: 'replace', pattern: compilePattern(item.replace), by: item.with, at: item.in };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    report.at([...path, 'replace'], error.message);
    return undefined;
  }
}
