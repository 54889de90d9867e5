/** How far a name may be trusted (attribution.md 1), strongest first. */
export const ASSURANCES = ['verified', 'keyed', 'asserted', 'inferred'] as const;
export type Assurance = (typeof ASSURANCES)[number];

/** A name with where it came from; a name without both is not used. */
export interface Named {
  readonly id: string;
  /** e.g. `key`, `header:x-tollgate-run`, `path`, `conversation` */
  readonly source: string;
  readonly assurance: Assurance;
}

/** On whose behalf a call is made. */
export interface Principal {
  readonly tenant: Named;
  readonly human?: Named | undefined;
  readonly agent: Named;
  /** the id of the gateway key, never the key; undefined where access is open */
  readonly key?: string | undefined;
  readonly run: Named;
  /** the run that began this one, or this agent inside it, as the client says; absent: nobody */
  readonly spawn?: { readonly parent: string; readonly child: string; readonly source: string } | undefined;
  /** what the call is booked under besides, as its key and else the caller says: projects, teams, features; absent: nothing */
  readonly tags?: readonly string[] | undefined;
  /** names that lost against a stronger source: `kind=id (source)` */
  readonly conflicts: readonly string[];
}
