import { asString, isArray, type Json, member } from '../../domain/json.ts';
import type { Leaves, Usage } from '../../domain/usage.ts';
import { leastTokens } from '../_shared/least-tokens.ts';
import { citesWeb } from './reported-cost.ts';
import { type ChatUsage, chatUsage } from './usage.ts';

/** Gathers what a reply says about its own cost, from one body or from many chunks; the last statement of each kind holds. */
export class Meter {
  #usage: ChatUsage | undefined;
  #model: string | undefined;
  #tier: string | undefined;
  #cited = false;
  /** dense bytes of everything the model wrote (least-tokens.ts) */
  #dense = 0;

  get model(): string | undefined {
    return this.#model;
  }

  /** Takes one body or chunk; true where it states usage. */
  take(event: Json): boolean {
    this.#model = asString(member(event, 'model')) || this.#model;
    this.#tier = asString(member(event, 'service_tier')) || this.#tier;
    const usage = chatUsage(usageIn(event));
    if (usage) this.#usage = usage;
    return usage !== undefined;
  }

  cite(annotations: Json | undefined): void {
    this.#cited ||= citesWeb(annotations);
  }

  wrote(dense: number): void {
    this.#dense += dense;
  }

  /** Least number of output tokens: what was written, or what an early usage statement admits. */
  /** Search models run their tool inside the one prompt that usage counts. */
  providerRuns(): number {
    return 0;
  }

  outputFloor(): number {
    return Math.max(leastTokens(this.#dense), this.#usage ? outputOf(this.#usage.leaves) : 0);
  }

  /** `terminal`: nothing more can follow. Without it, without both counts, or with less output than was seen, it is a floor. */
  usage(terminal: boolean): Usage {
    const stated = this.#usage;
    const model = this.#model;
    const tier = this.#tier;
    if (!stated) return { entries: [{ model, leaves: { output: this.outputFloor() }, tier }], certainty: 'floor' };
    const { web_search: searches } = stated.fees;
    const derived = this.#cited && searches === undefined && stated.reported === undefined;
    const fees = derived ? { ...stated.fees, web_search: 1 } : stated.fees;
    const exact = terminal && stated.complete && outputOf(stated.leaves) >= leastTokens(this.#dense);
    return {
      entries: [
        {
          model,
          leaves: exact ? stated.leaves : this.#atLeast(stated),
          ...(Object.keys(fees).length > 0 && { fees }),
          tier,
        },
      ],
      certainty: exact ? 'exact' : 'floor',
      ...((stated.estimated || derived) && { estimated: true }),
      ...(exact && stated.reported !== undefined && { reported: stated.reported }),
    };
  }

  /** An early statement may be older than the text behind it. */
  #atLeast({ leaves }: ChatUsage): Leaves {
    return { ...leaves, output: (leaves.output ?? 0) + this.outputFloor() - outputOf(leaves) };
  }
}

const outputOf = ({ output = 0, reasoning = 0, output_audio = 0, output_image = 0 }: Leaves): number =>
  output + reasoning + output_audio + output_image;

/** `usage`, where Groq (`x_groq`) or Moonshot (in the choice) puts it if not at the top. */
function usageIn(event: Json): Json | undefined {
  const own = member(event, 'usage') ?? member(member(event, 'x_groq'), 'usage');
  if (own !== undefined && own !== null) return own;
  const choices = member(event, 'choices');
  if (!isArray(choices)) return undefined;
  return choices.map((choice) => member(choice, 'usage')).find((usage) => usage !== undefined && usage !== null);
}
