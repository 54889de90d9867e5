import { hash } from 'node:crypto';
import type { ModelRef } from '../domain/action.ts';
import { canonical, type Shorten } from '../domain/canonical.ts';
import type { Principal } from '../domain/principal.ts';
import type { JudgedAction } from '../domain/receipt.ts';
import { Recent } from '../domain/recent.ts';
import type { Verdict } from '../domain/verdict.ts';
import type { RunSpace } from '../ports/runs.ts';
import type { PlacedAction } from './request-actions.ts';

const REMEMBERED = 65_536;

/** What a request brings, to be judged; a tool result with the hash it is remembered by. */
export interface Arriving extends PlacedAction {
  readonly key?: string | undefined;
}

/** Who shows results to which model, in which run; and what is known of long texts. */
export interface Showing {
  readonly space: RunSpace;
  readonly principal: Principal;
  readonly model: ModelRef;
  readonly path: string;
  /** SHA-256 of a long text; undefined: the text is short */
  readonly digestOf: Shorten;
}

/** How a verdict came out; see `Judged`. */
interface Ruling {
  readonly judged: { readonly verdict: Verdict; readonly record: JudgedAction };
  readonly key?: string | undefined;
}

/**
 * The tool results that every rule let pass as they were, by hash: history is re-sent with every turn, and what its run has shown to the
 * same model before is not judged anew (actions.md 5, ADR 45). What was edited, labelled, warned of, denied or smelled of something is.
 * Holds hashes, never texts; to forget one is to judge it again. It lives as long as the rules that judged.
 */
export class PassedResults {
  readonly #known = new Recent<true>(REMEMBERED);

  /** Everything of `arriving` but the results that passed before. */
  fresh(showing: Showing, arriving: readonly PlacedAction[]): Arriving[] {
    let scope: string | undefined;
    const fresh: Arriving[] = [];
    for (const placed of arriving) {
      if (placed.action.point !== 'post_tool_call') {
        fresh.push(placed);
        continue;
      }
      scope ??= scopeOf(showing);
      const { tool, target } = placed.action;
      const names = JSON.stringify([tool?.name, tool?.callId]);
      const key = hash('sha256', `${scope}${names}${canonical(target, showing.digestOf)}`, 'base64');
      if (this.#known.get(key) === undefined) fresh.push({ ...placed, key });
    }
    return fresh;
  }

  /** Remembers the results that nothing was to be done about; asked when all of their request may pass. */
  passed(rulings: readonly Ruling[]): void {
    for (const { judged, key } of rulings) if (key !== undefined && isPlain(judged)) this.#known.set(key, true);
  }
}

const scopeOf = ({ space, principal, model: { maxOutputTokens: _, ...model }, path }: Showing): string =>
  hash('sha256', JSON.stringify([space, principal, model, path]), 'base64');

const isPlain = ({ verdict, record }: Ruling['judged']): boolean =>
  verdict.decision === 'allow' && verdict.labels.length === 0 && !verdict.halt && record.findings === undefined;
