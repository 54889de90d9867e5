import type { Pointer } from '../domain/pointer.ts';
import type { EpochMs, Nano } from '../domain/scalars.ts';

export interface ToolUnit {
  readonly name: string;
  readonly in: 'arguments' | 'result';
  readonly at: Pointer;
  readonly count: 'number' | 'items' | 'characters' | 'bytes';
  readonly values: ReadonlyMap<string, number> | undefined;
  readonly absent: number | undefined;
  readonly max: number | undefined;
  /** what `per` units cost */
  readonly price: Nano;
  readonly per: bigint;
}

export interface ToolRow {
  readonly from: EpochMs;
  readonly perCall: Nano;
  readonly units: readonly ToolUnit[];
  readonly failedIsFree: boolean;
}

export interface PricedTool {
  /** how lines name it: `server/tool`, or the tool alone */
  readonly label: string;
  readonly server: string | undefined;
  /** its name there; one that ends in `*` is a prefix */
  readonly tool: string;
  /** names it goes by where no server is named; the same */
  readonly aliases: readonly string[];
  /** newest first */
  readonly rows: readonly ToolRow[];
}

interface Shelf {
  readonly exact: Map<string, PricedTool>;
  /** longest first */
  readonly prefixes: [string, PricedTool][];
}

/** Finds the price of a tool by server and name; case matters, as it does to servers. */
export class ToolBook {
  readonly tools: readonly PricedTool[];
  readonly #shelves = new Map<string | undefined, Shelf>();

  constructor(tools: readonly PricedTool[]) {
    this.tools = tools;
    for (const tool of tools) {
      this.#put(tool.server, tool.tool, tool);
      for (const alias of tool.aliases) this.#put(undefined, alias, tool);
    }
    for (const { prefixes } of this.#shelves.values()) prefixes.sort(([a], [b]) => b.length - a.length);
  }

  /** The server's own entry before one without a server; on each, the exact name before the longest prefix. */
  find(server: string | undefined, tool: string): PricedTool | undefined {
    const own = server === undefined ? undefined : lookup(this.#shelves.get(server), tool);
    return own ?? lookup(this.#shelves.get(undefined), tool);
  }

  #put(server: string | undefined, name: string, tool: PricedTool): void {
    const shelf: Shelf = this.#shelves.get(server) ?? { exact: new Map(), prefixes: [] };
    this.#shelves.set(server, shelf);
    if (name.endsWith('*')) shelf.prefixes.push([name.slice(0, -1), tool]);
    else shelf.exact.set(name, tool);
  }
}

const lookup = (shelf: Shelf | undefined, tool: string): PricedTool | undefined =>
  shelf?.exact.get(tool) ?? shelf?.prefixes.find(([prefix]) => tool.startsWith(prefix))?.[1];
