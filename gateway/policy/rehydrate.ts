import type { Action, Edit, TextPart } from '../domain/action.ts';
import type { PlacedFinding, PlacedToken } from '../domain/finding.ts';
import type { Snapshot } from '../domain/snapshot.ts';
import { type RuleHit, severity, type Verdict } from '../domain/verdict.ts';
import { applyEdits } from './apply-edits.ts';
import type { CompiledRule } from './compiled-rule.ts';
import { landings } from './landing.ts';
import type { Rehydration } from './rehydration.ts';
import { SECRECIES, type ToolFacts } from './tool-catalogue.ts';
import { TransformFailure } from './transform-failure.ts';

/** A call as it stands with its values put back. */
export interface Revealed {
  readonly snapshot: Snapshot;
  readonly edits: readonly Edit[];
}

const failed = (rule: number, why: string): TransformFailure =>
  new TransformFailure('runtime_error:transform_failed', rule, why);

/**
 * Puts values back in place of their tokens where the rules say so; undefined where there is none to put back. Throws a TransformFailure
 * where a token of such a kind stands for nothing known in this run, where the tool is not cleared for the value, and where the text
 * must not change.
 */
export function reveal(snapshot: Snapshot, rules: readonly CompiledRule[], tool: ToolFacts): Revealed | undefined {
  const { action, tokens = [] } = snapshot;
  const parts = new Map(action.parts.map((part) => [part.at, part]));
  const chosen = new Map<TextPart, PlacedToken[]>();
  for (const token of tokens) {
    const rule = rules.find((r) =>
      r.changes.some((c) => c.op === 'rehydrate' && isMeant(c.rehydration, token, action)),
    );
    if (!rule) continue;
    checkToken(token, rule.index, tool);
    const part = parts.get(token.at) as TextPart;
    if (part.frozen !== undefined)
      throw failed(rule.index, `\`${token.token}\` stands in a part that must not change (${part.frozen})`);
    const list = chosen.get(part);
    if (list) list.push(token);
    else chosen.set(part, [token]);
  }
  if (chosen.size === 0) return undefined;
  const changes = new Map(Array.from(chosen, ([part, list]) => [part.at, changed(part, list)]));
  const edits = Array.from(changes, ([at, { part }]): Edit => ({ op: 'set', at, value: part.text }));
  return {
    edits,
    snapshot: {
      ...snapshot,
      tokens: [],
      action: {
        ...action,
        target: applyEdits(action.target, edits),
        parts: action.parts.map((part) => changes.get(part.at)?.part ?? part),
      },
      findings: [
        ...snapshot.findings.map((f) => changes.get(f.at)?.moved(f) ?? f),
        ...[...changes.values()].flatMap(({ found }) => found),
      ],
    },
  };
}

function isMeant({ covers, words, at }: Rehydration, token: PlacedToken, { target }: Action): boolean {
  if (token.kind === undefined ? !words.has(token.word) : !covers(token.kind)) return false;
  if (at === undefined) return true;
  return (landings(target, at) ?? []).some((l) => token.at === l.at || token.at.startsWith(`${l.at}/`));
}

/** What a tool must be cleared for to get a value of a kind (flows.md 2). */
function checkToken({ token, kind, value }: PlacedToken, rule: number, { clearance }: ToolFacts): void {
  if (kind === undefined || value === undefined)
    throw failed(rule, `\`${token}\` stands for nothing that this gate knows in this run`);
  const needed = kind.startsWith('secret.') ? 'secret' : 'confidential';
  if (SECRECIES.indexOf(clearance) < SECRECIES.indexOf(needed))
    throw failed(
      rule,
      `\`${token}\` may go only to a tool that \`tools\` describes with \`clearance: ${needed}\` or higher`,
    );
}

interface Changed {
  readonly part: TextPart;
  /** what was put back, as if a detector had found it there */
  readonly found: readonly PlacedFinding[];
  /** a finding of the old text where it is in the new one */
  readonly moved: (finding: PlacedFinding) => PlacedFinding;
}

function changed(part: TextPart, tokens: readonly PlacedToken[]): Changed {
  let text = '';
  let end = 0;
  const found: PlacedFinding[] = [];
  const spans = [...tokens].sort((a, b) => a.start - b.start);
  for (const { start, end: next, token, kind = '', value = '' } of spans) {
    text += part.text.slice(end, start);
    found.push({
      kind,
      at: part.at,
      start: text.length,
      end: text.length + value.length,
      confidence: 1,
      status: 'found',
      token,
    });
    text += value;
    end = next;
  }
  text += part.text.slice(end);
  const place = (offset: number, toEnd: boolean): number => {
    let shift = 0;
    for (const [i, span] of spans.entries()) {
      const now = found[i] as PlacedFinding;
      if (offset <= span.start) break;
      if (offset < span.end) return toEnd ? now.end : now.start;
      shift = now.end - span.end;
    }
    return offset + shift;
  };
  const moved = (f: PlacedFinding): PlacedFinding => ({ ...f, start: place(f.start, false), end: place(f.end, true) });
  return { part: { ...part, text }, found, moved };
}

/**
 * The verdict on a call with its values: what the rules say of the values holds, and what they said of the tokens does not. Those that put
 * the values back are reported, whether or not they match once more.
 */
export function withValues(after: Verdict, rules: readonly CompiledRule[], edits: readonly Edit[]): Verdict {
  const known = new Set(after.hits.map((h) => h.rule));
  const hits = [...rules.filter((r) => !known.has(r.id)).map(hitOf), ...after.hits];
  const labels = [...new Set([...rules.flatMap((r) => r.labels), ...after.labels])];
  if (severity(after.decision) > severity('transform')) return { ...after, hits, labels };
  if (after.decision === 'transform') return { ...after, hits, labels, edits: [...edits, ...after.edits] };
  const [first] = rules;
  const said = { rule: first?.id, reason: first?.reason, message: first?.message, doc: first?.doc };
  return { ...after, ...said, decision: 'transform', hits, labels, edits };
}

const hitOf = ({ id, reason, mode }: CompiledRule): RuleHit => ({ rule: id, decision: 'transform', reason, mode });

/** The denial where values can't be put back. */
export function unrevealed(before: Verdict, failure: TransformFailure, rules: readonly CompiledRule[]): Verdict {
  const rule = rules.find((r) => r.index === failure.rule);
  const message = `the change that \`${rule?.id}\` asks for can't be made (${failure.message}), so the call is denied`;
  return {
    ...before,
    decision: 'deny',
    rule: rule?.id,
    reason: failure.reason,
    message,
    doc: rule?.doc,
    edits: [],
    cap: undefined,
    hits: before.hits.map((hit) => (hit.rule === rule?.id ? { ...hit, error: failure.reason } : hit)),
  };
}
