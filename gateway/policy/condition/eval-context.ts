import type { Snapshot } from '../../domain/snapshot.ts';
import type { ToolCatalogue, ToolFacts } from '../tool-catalogue.ts';
import type { Value } from './cel-value.ts';

/** What one evaluation of the judge works on. One object is reused for all evaluations: nothing is allocated for a call. */
export class EvalContext {
  snapshot!: Snapshot;
  /** steps left; below zero the condition has tripped its bound */
  left = 0;
  /** variables of macros, by nesting level */
  readonly slots: Value[] = [];
  readonly #tools: ToolCatalogue;
  #text: string | undefined;
  #tool: ToolFacts | undefined;

  constructor(tools: ToolCatalogue) {
    this.#tools = tools;
  }

  begin(snapshot: Snapshot): void {
    this.snapshot = snapshot;
    this.#text = undefined;
    this.#tool = undefined;
  }

  /** Takes steps; false once there are none left. */
  spend(steps: number): boolean {
    this.left -= steps;
    return this.left >= 0;
  }

  /** All texts of the target, in order, one per line. */
  get text(): string {
    if (this.#text === undefined) {
      const { parts, target } = this.snapshot.action;
      this.#text = parts.length > 0 ? parts.map((p) => p.text).join('\n') : typeof target === 'string' ? target : '';
    }
    return this.#text;
  }

  get tool(): ToolFacts {
    this.#tool ??= this.#tools.find(this.snapshot.action.tool?.name ?? '');
    return this.#tool;
  }
}
