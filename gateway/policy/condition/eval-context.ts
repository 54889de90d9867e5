import type { Snapshot } from '../../domain/snapshot.ts';
import { type ToolCatalogue, type ToolFacts, tightened } from '../tool-catalogue.ts';
import type { Value } from './cel-value.ts';
import { TextSketch } from './text-sketch.ts';

/** What one evaluation of the judge works on. One object is reused for all evaluations: nothing is allocated for a call. */
export class EvalContext {
  snapshot!: Snapshot;
  /** steps left; below zero the condition has tripped its bound */
  left = 0;
  /** variables of macros, by nesting level */
  readonly slots: Value[] = [];
  readonly sketch = new TextSketch();
  /** values of dotted paths, good while `heldAt` is the present turn: many rules read the same argument */
  readonly #held: Value[] = [];
  readonly #heldAt: number[] = [];
  #turn = 0;
  readonly #tools: ToolCatalogue;
  #text: string | undefined;
  #tool: ToolFacts | undefined;

  constructor(tools: ToolCatalogue) {
    this.#tools = tools;
  }

  begin(snapshot: Snapshot): void {
    this.snapshot = snapshot;
    this.#turn += 1;
    this.sketch.forget();
    this.#text = undefined;
    this.#tool = undefined;
  }

  /** The value of the path with this number, read once per evaluation. */
  path(slot: number, read: (c: EvalContext) => Value): Value {
    if (this.#heldAt[slot] === this.#turn) return this.#held[slot] as Value;
    const value = read(this);
    while (this.#heldAt.length <= slot) {
      this.#heldAt.push(0);
      this.#held.push(null);
    }
    this.#heldAt[slot] = this.#turn;
    this.#held[slot] = value;
    return value;
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
    if (this.#tool === undefined) {
      const { tool } = this.snapshot.action;
      const facts = this.#tools.find(tool?.name ?? '');
      this.#tool = tool?.claims === undefined ? facts : tightened(facts, tool.claims);
    }
    return this.#tool;
  }
}
