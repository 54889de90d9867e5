import { asString, isObject, type Json, type JsonObject } from '../../domain/json.ts';
import type { Leaves, Usage } from '../../domain/usage.ts';
import type { Reading } from '../../ports/dialect.ts';
import { leastTokens } from '../_shared/least-tokens.ts';
import { fieldOf } from './field.ts';
import { feesOf, type Grounding } from './server-tools.ts';
import { geminiUsage, mergeUsage, servedTier } from './usage.ts';

/** Gathers what a reply says about its own cost, from one body or from many chunks. */
export class Meter {
  readonly #reading: Reading | undefined;
  #stated: JsonObject = {};
  #model: string | undefined;
  /** by candidate: metadata comes again with every chunk */
  readonly #groundings = new Map<number, Grounding>();
  #dense = 0;

  constructor(reading: Reading | undefined) {
    this.#reading = reading;
  }

  get model(): string | undefined {
    return this.#model;
  }

  /** Takes one body or chunk; true where it states counts. */
  take(body: Json): boolean {
    this.#model = asString(fieldOf(body, 'modelVersion')) || this.#model;
    const usage = fieldOf(body, 'usageMetadata');
    if (!isObject(usage)) return false;
    this.#stated = mergeUsage(this.#stated, usage);
    return geminiUsage(usage)?.complete === true;
  }

  ground(candidate: number, grounding: Grounding): void {
    if (grounding.grounded || grounding.maps) this.#groundings.set(candidate, grounding);
  }

  wrote(dense: number): void {
    this.#dense += dense;
  }

  /** Queries the provider ran, as far as it has told. */
  get searches(): number {
    return [...this.#groundings.values()].reduce((sum, { queries }) => sum + Math.max(1, queries), 0);
  }

  /** Least number of output tokens: what was written, or what an early statement admits. */
  outputFloor(): number {
    return Math.max(leastTokens(this.#dense), outputOf(geminiUsage(this.#stated)?.leaves ?? {}));
  }

  /** `terminal`: nothing more can follow. Without it, without the prompt, or with less output than was seen, it is a floor. */
  usage(terminal: boolean): Usage {
    const stated = geminiUsage(this.#stated);
    const fees = feesOf([...this.#groundings.values()], this.#reading?.bound.serverTools ?? []);
    const exact = terminal && stated?.complete === true && outputOf(stated.leaves) >= leastTokens(this.#dense);
    const leaves = stated?.leaves ?? {};
    const region = this.#reading?.bound.region;
    return {
      entries: [
        {
          model: this.#model,
          leaves: exact ? leaves : this.#atLeast(leaves),
          ...(Object.keys(fees).length > 0 && { fees }),
          tier: servedTier(this.#stated),
          ...(region !== undefined && { region }),
        },
      ],
      certainty: exact ? 'exact' : 'floor',
      ...(stated?.estimated && { estimated: true }),
    };
  }

  /** An early statement may be older than the text behind it. */
  #atLeast(leaves: Leaves): Leaves {
    return { ...leaves, output: (leaves.output ?? 0) + this.outputFloor() - outputOf(leaves) };
  }
}

const outputOf = ({
  output = 0,
  reasoning = 0,
  output_audio = 0,
  output_image = 0,
  output_video = 0,
}: Leaves): number => output + reasoning + output_audio + output_image + output_video;
