import type { Snapshot } from '../domain/snapshot.ts';
import type { Verdict } from '../domain/verdict.ts';
import type { CompiledRule } from './compiled-rule.ts';
import { conclude } from './conclude.ts';
import type { Sha256 } from './judge.ts';
import { type DenyingDefault, isAbout } from './layers.ts';

/**
 * Verdicts of calls that one rule matches and no other, or none at all: where the call itself has no part in them they are concluded once.
 * Such a verdict is frozen, since many calls share it.
 */
export class SoloVerdicts {
  readonly #known: (Verdict | undefined)[] = [];
  readonly #denying: readonly DenyingDefault[];
  readonly #sha256: Sha256;
  /** by the first bundle that denies what no rule allows */
  readonly #unmet = new Map<DenyingDefault, Verdict>();

  constructor(denying: readonly DenyingDefault[], sha256: Sha256) {
    this.#denying = denying;
    this.#sha256 = sha256;
  }

  /** The verdict where no rule matched, though some bundle may deny that. */
  ofNone(snapshot: Snapshot): Verdict {
    const unmet = this.#firstUnmet(snapshot, undefined);
    const known = unmet && this.#unmet.get(unmet);
    if (known) return known;
    const verdict = frozen(conclude([], snapshot, { denying: this.#denying, sha256: this.#sha256 }));
    if (unmet) this.#unmet.set(unmet, verdict);
    return verdict;
  }

  /** The verdict where this rule matched soundly and no other did; undefined where the call has a part in it. */
  of(rule: CompiledRule, snapshot: Snapshot): Verdict | undefined {
    if (rule.verdict === 'transform' || rule.verdict === 'escalate') return undefined;
    if (rule.verdict !== 'deny' || rule.mode !== 'enforce') {
      const allowed = rule.verdict === 'allow' && rule.mode === 'enforce' ? rule.layer.name : undefined;
      if (this.#firstUnmet(snapshot, allowed) !== undefined) return undefined;
    }
    const known = this.#known[rule.index];
    if (known) return known;
    const match = { rule, broken: undefined, error: undefined };
    const verdict = frozen(conclude([match], snapshot, { denying: [], sha256: this.#sha256 }));
    while (this.#known.length <= rule.index) this.#known.push(undefined);
    this.#known[rule.index] = verdict;
    return verdict;
  }

  #firstUnmet(snapshot: Snapshot, allowed: string | undefined): DenyingDefault | undefined {
    for (const denying of this.#denying)
      if (denying.layer !== allowed && isAbout(denying.tenants, snapshot.tenant.id)) return denying;
    return undefined;
  }
}

function frozen(verdict: Verdict): Verdict {
  for (const list of [verdict.hits, verdict.edits, verdict.labels]) Object.freeze(list);
  return Object.freeze(verdict);
}
