import type { Edit, TextPart } from '../domain/action.ts';
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
  readonly finding: PlacedFinding;
  readonly wish: Redaction;
}

/**
 * The edits that all redactions of a call add up to: one per part, on the text detectors read. Overlapping findings are one cut,
 * with the text of the one that begins first. A function of the parts, the findings and the run: the same part gives the same bytes.
 * Throws a TransformFailure where a finding can't be redacted.
 */
export function redact(snapshot: Snapshot, redactions: readonly Redaction[], sha256: Sha256): Edit[] {
  const { action, findings } = snapshot;
  const parts = new Map(action.parts.map((part) => [part.at, part]));
  const cuts = new Map<TextPart, Cut[]>();
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
    const part = editablePart(parts.get(finding.at), finding, wish.rule);
    const list = cuts.get(part);
    if (list) list.push({ finding, wish });
    else cuts.set(part, [{ finding, wish }]);
  }
  const replacements = new Replacements(snapshot, sha256);
  return Array.from(cuts, ([{ at, text }, list]) => ({ op: 'set', at, value: cutText(text, list, replacements) }));
}

function editablePart(part: TextPart | undefined, finding: PlacedFinding, rule: number): TextPart {
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

/** What stands in place of what was found. */
class Replacements {
  readonly #snapshot: Snapshot;
  readonly #sha256: Sha256;
  /** word → value → ordinal, for a snapshot that brings no tokens of its run (a case, a replay) */
  #ordinals: Map<string, Map<string, number>> | undefined;

  constructor(snapshot: Snapshot, sha256: Sha256) {
    this.#snapshot = snapshot;
    this.#sha256 = sha256;
  }

  of({ as, keep }: Redaction, finding: PlacedFinding, found: string): string {
    const { tenant, run } = this.#snapshot;
    switch (as) {
      case 'token':
        return finding.token ?? this.#numbered(finding, found);
      case 'mask':
        return keep === undefined ? '*'.repeat(found.length) : masked(found, keep);
      case 'hash':
        return `[redacted:${finding.kind}:${this.#sha256(JSON.stringify([tenant.id, run.id, found])).slice(0, 12)}]`;
      case 'drop':
        return '';
    }
  }

  #numbered(finding: PlacedFinding, found: string): string {
    const word = tokenWord(finding.kind);
    this.#ordinals ??= new Map();
    const known = this.#ordinals.get(word) ?? new Map<string, number>();
    this.#ordinals.set(word, known);
    if (!known.has(found)) known.set(found, known.size + 1);
    return tokenText(word, known.get(found) as number);
  }
}

/** Replacements are asked for in order of appearance, and only where no earlier cut covers this one. */
function cutText(text: string, cuts: readonly Cut[], replacements: Replacements): string {
  const ordered = cuts.toSorted((a, b) => a.finding.start - b.finding.start || b.finding.end - a.finding.end);
  let out = '';
  let done = 0;
  for (const { finding, wish } of ordered) {
    const { start, end } = finding;
    if (start >= done) out += text.slice(done, start) + replacements.of(wish, finding, text.slice(start, end));
    done = Math.max(done, end);
  }
  return out + text.slice(done);
}
