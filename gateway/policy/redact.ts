import type { Action, Edit, TextPart } from '../domain/action.ts';
import { type PlacedFinding, tokenText, tokenWord } from '../domain/finding.ts';
import type { Snapshot } from '../domain/snapshot.ts';
import type { Sha256 } from './judge.ts';
import { type Keep, masked } from './masked.ts';
import { TransformFailure } from './transform-failure.ts';

export type RedactAs = 'token' | 'mask' | 'hash' | 'drop';

/** One rule's wish to redact: which findings, and how. */
export interface Redaction {
  readonly rule: number;
  readonly as: RedactAs;
  readonly keep?: Keep | undefined;
  readonly covers: (finding: PlacedFinding) => boolean;
}

interface Cut {
  readonly start: number;
  readonly end: number;
  /** asked once, in order of appearance, and only where no earlier cut covers this one */
  readonly text: () => string;
}

/**
 * The edits that all redactions of a call add up to: one per part, on the text detectors read. Overlapping findings are one cut,
 * with the text of the one that begins first. A function of the parts, the findings and the run: the same part gives the same bytes.
 * Throws a TransformFailure where a finding can't be redacted.
 */
export function redact(snapshot: Snapshot, redactions: readonly Redaction[], sha256: Sha256): Edit[] {
  const { action, findings } = snapshot;
  const cuts = new Map<TextPart, Cut[]>();
  const numbers: Numbers = new Map();
  for (const finding of findings) {
    const wish = redactions.find((r) => r.covers(finding));
    if (!wish) continue;
    if (finding.status === 'unknown') {
      throw new TransformFailure(
        'runtime_error:detector_failed',
        wish.rule,
        'a detector failed, so nothing can be redacted',
      );
    }
    const part = partOf(action, finding, wish.rule);
    const found = part.text.slice(finding.start, finding.end);
    const text = (): string => replacement(wish, finding, found, snapshot, sha256, numbers);
    const list = cuts.get(part);
    if (list) list.push({ start: finding.start, end: finding.end, text });
    else cuts.set(part, [{ start: finding.start, end: finding.end, text }]);
  }
  return [...cuts].map(([part, list]) => ({ op: 'set', at: part.at, value: cutText(part.text, list) }));
}

function partOf(action: Action, finding: PlacedFinding, rule: number): TextPart {
  const part = action.parts.find((p) => p.at === finding.at);
  const fits = part && finding.start >= 0 && finding.start < finding.end && finding.end <= part.text.length;
  if (!fits)
    throw new TransformFailure(
      'runtime_error:transform_failed',
      rule,
      `\`${finding.kind}\` stands where nothing can be edited`,
    );
  if (part.frozen !== undefined) {
    throw new TransformFailure(
      'runtime_error:transform_failed',
      rule,
      `\`${finding.kind}\` stands in a part that must not change (${part.frozen})`,
    );
  }
  return part;
}

/** word → value → ordinal, for a snapshot that brings no tokens of its run (a case, a replay) */
type Numbers = Map<string, Map<string, number>>;

function numbered(finding: PlacedFinding, found: string, numbers: Numbers): string {
  const word = tokenWord(finding.kind);
  const known = numbers.get(word) ?? new Map<string, number>();
  numbers.set(word, known);
  if (!known.has(found)) known.set(found, known.size + 1);
  return tokenText(word, known.get(found) as number);
}

function replacement(
  { as, keep }: Redaction,
  finding: PlacedFinding,
  found: string,
  snapshot: Snapshot,
  sha256: Sha256,
  numbers: Numbers,
): string {
  switch (as) {
    case 'token':
      return finding.token ?? numbered(finding, found, numbers);
    case 'mask':
      return keep === undefined ? '*'.repeat(found.length) : masked(found, keep);
    case 'hash':
      return `[redacted:${finding.kind}:${sha256(JSON.stringify([snapshot.tenant.id, snapshot.run.id, found])).slice(0, 12)}]`;
    case 'drop':
      return '';
  }
}

function cutText(text: string, cuts: readonly Cut[]): string {
  const ordered = [...cuts].sort((a, b) => a.start - b.start || b.end - a.end);
  let out = '';
  let end = 0;
  for (const cut of ordered) {
    if (cut.start >= end) out += text.slice(end, cut.start) + cut.text();
    end = Math.max(end, cut.end);
  }
  return out + text.slice(end);
}
