import type { Json, JsonText } from '../domain/json.ts';
import type { EpochMs } from '../domain/scalars.ts';

/** What a server offers and a person approves. `instructions` has the name ''; a resource is `resource` by its URI or template. */
export type PinKind = 'tool' | 'prompt' | 'resource' | 'instructions';

/** One definition as a server's list spelled it; the text keeps numbers that a double cannot hold. */
export interface Definition {
  readonly kind: PinKind;
  readonly name: string;
  readonly doc: JsonText;
}

/** Where a definition stands. Only `approved` may be shown and called. */
export type Standing =
  | {
      readonly state: 'approved';
      /** the approved definition: its `inputSchema` is what headers and edits are checked against */
      readonly definition: Json;
      /** when its server last showed it unchanged */
      readonly seenAt: EpochMs;
    }
  /** no list showed it and the lock file does not name it */
  | { readonly state: 'unknown' }
  | {
      readonly state: 'waiting' | 'quarantined';
      /** for the agent and the operator: `its description changed after it was approved` … */
      readonly why: string;
      /** the approval to ask for: `tollgate mcp pins approve <id>` */
      readonly approval: string;
    };

/** A list as it passed: one page of it, or all of it. */
export interface ListSeen {
  readonly server: string;
  readonly kind: PinKind;
  readonly definitions: readonly Definition[];
  /** the whole list is here (no cursor asked for, none given): what is missing from it has left */
  readonly whole: boolean;
  readonly at: EpochMs;
}

/**
 * Approved definitions (mcp-plane.md 8): lock file and store. Throws a Fault (`TG_PINS_UNAVAILABLE`) where the store does not answer;
 * the corridor denies then.
 */
export interface Pins {
  /** Checks what a list shows, remembers it, and says where each definition stands, in order. A change quarantines before this resolves. */
  review(seen: ListSeen): Promise<readonly Standing[]>;
  /** Where a definition stands now. */
  standing(server: string, kind: PinKind, name: string): Promise<Standing>;
  /** When the whole list of a server last passed; 0 where it has not since the start. A name that it did not show is not asked for again. */
  listedAt(server: string, kind: PinKind): EpochMs;
  /** Milliseconds after which the corridor asks the server for its list again before it lets a call through. */
  readonly maxAgeMs: number;
  /** Called after every change of a standing: reviewed, quarantined, approved, lock file read again. Returns how to stop. */
  onChange(listener: (server: string, kind: PinKind) => void): () => void;
}
