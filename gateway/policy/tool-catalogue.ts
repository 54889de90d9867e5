import type { ToolClaims } from '../domain/action.ts';
import { type Glob, globMatches, parseGlob, specificity } from './glob.ts';

export const EFFECTS = ['read', 'write', 'egress', 'money', 'identity'] as const;
export const TRUSTS = ['untrusted', 'internal', 'trusted'] as const;
export const SECRECIES = ['public', 'internal', 'confidential', 'secret'] as const;

export const DESTINATION_KINDS = ['email', 'url', 'iban', 'path', 'user', 'phone'] as const;

/** What the policy says a tool is (flows.md 2). */
export interface ToolFacts {
  readonly effect: (typeof EFFECTS)[number];
  readonly trust: (typeof TRUSTS)[number];
  readonly secrecy: (typeof SECRECIES)[number];
  readonly clearance: (typeof SECRECIES)[number];
  readonly destinations: readonly string[];
  /** what each destination is, in the same order; '' where the policy does not say */
  readonly destinationKinds: readonly string[];
  readonly directory: boolean;
  /** pointers of the arguments that name what is read or written */
  readonly resource: readonly string[];
  /** the argument that holds the amount, and its unit; '' where the policy does not say */
  readonly amount: { readonly at: string; readonly unit: string } | undefined;
  /** the tool that reverses it; '' where none is named */
  readonly undo: string;
  /** pointers of the arguments that differ from call to call and say nothing, such as an id of the request */
  readonly volatile: readonly string[];
}

/** What is true of a tool nobody described: its output may come from anyone, and it may change things. */
export const UNDESCRIBED: ToolFacts = {
  effect: 'write',
  trust: 'untrusted',
  secrecy: 'internal',
  clearance: 'public',
  destinations: [],
  destinationKinds: [],
  directory: false,
  resource: [],
  amount: undefined,
  undo: '',
  volatile: [],
};

/** Facts of a tool whose server admits more danger than the policy says: never less strict than they were. */
export function tightened(facts: ToolFacts, { writes, openWorld }: ToolClaims): ToolFacts {
  return {
    ...facts,
    effect: writes && facts.effect === 'read' ? 'write' : facts.effect,
    trust: openWorld ? 'untrusted' : facts.trust,
  };
}

/** The facts of tools by name; where several patterns match, the most specific one describes the tool. */
export class ToolCatalogue {
  readonly #literals = new Map<string, ToolFacts>();
  readonly #globs: { readonly glob: Glob; readonly facts: ToolFacts }[] = [];

  constructor(entries: readonly { readonly pattern: string; readonly facts: ToolFacts }[]) {
    const ordered = [...entries].sort(
      (a, b) => specificity(b.pattern) - specificity(a.pattern) || (a.pattern < b.pattern ? -1 : 1),
    );
    for (const { pattern, facts } of ordered) {
      const glob = parseGlob(pattern);
      if (glob.kind === 'literal') this.#literals.set(glob.text, facts);
      else this.#globs.push({ glob, facts });
    }
  }

  find(name: string): ToolFacts {
    const literal = this.#literals.get(name);
    if (literal) return literal;
    for (const { glob, facts } of this.#globs) if (globMatches(glob, name)) return facts;
    return UNDESCRIBED;
  }
}
