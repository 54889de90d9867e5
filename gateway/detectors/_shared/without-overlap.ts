import type { Finding } from '../../domain/finding.ts';

/** Sorts findings and joins those that overlap; the surer one names the whole, of two equally sure ones the first. */
export function withoutOverlap(findings: Finding[]): readonly Finding[] {
  if (findings.length < 2) return findings;
  findings.sort((a, b) => a.start - b.start || b.end - a.end);
  const joined: Finding[] = [];
  for (const finding of findings) {
    const last = joined.at(-1);
    if (last === undefined || finding.start >= last.end) joined.push(finding);
    else {
      const { kind, confidence } = finding.confidence > last.confidence ? finding : last;
      joined[joined.length - 1] = { kind, start: last.start, end: Math.max(last.end, finding.end), confidence };
    }
  }
  return joined;
}
