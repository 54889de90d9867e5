import { apportionCount } from '../../domain/apportion.ts';
import type { Origin, Stretch, WeighedPrompt } from '../../domain/pricing.ts';
import type { CountedTurn } from '../../ports/runs.ts';
import { addedTokens, type Fresh, leastTokens, mostTokens } from './text-weights.ts';

/** Conversations of one run that are remembered: the agent's own and those of its sub-agents. */
const CONVERSATIONS = 16;
/** Texts of all of them together. */
const TEXTS = 8192;
/** Texts at each end of a conversation that are compared by more than their length. */
const ENDS = 2;

/** One conversation as its last turn left it. Its stretches are what is around the texts, then every text, in order. */
interface Talk {
  /** of each text so far */
  readonly sizes: number[];
  readonly marks: number[];
  readonly origins: Origin[];
  /** those of a change around the texts stand between them */
  stretches: Stretch[];
  /** Σ of the stretches, in tokens, and the UTF-16 units they come from */
  tokens: number;
  size: number;
  last: CountedTurn;
}

/**
 * Which step brought what a run's prompts hold, and what it weighs (meter.md 4): a text gets its weight in tokens when it first comes and
 * keeps it as long as its conversation only grows. Holds sizes and marks, never texts. Bounded: time and memory are those of one request.
 */
export class RunTexts {
  /** least recently used first */
  #talks: Talk[] = [];

  /** See `Runs.weigh`. */
  weigh(turn: CountedTurn): WeighedPrompt {
    const talk = this.#continued(turn);
    if (!talk) return this.#begin(turn);
    if (this.#talks.at(-1) !== talk) this.#talks = [...this.#talks.filter((other) => other !== talk), talk];
    return goOn(talk, turn);
  }

  /** The longest conversation that this one goes on from: all of its texts stand first, in order. */
  #continued(turn: CountedTurn): Talk | undefined {
    let best: Talk | undefined;
    for (const talk of this.#talks) {
      if (best && talk.sizes.length <= best.sizes.length) continue;
      if (isStartOf(talk, turn)) best = talk;
    }
    return best;
  }

  #begin(turn: CountedTurn): WeighedPrompt {
    const sizes = [turn.around, ...turn.sizes];
    const size = sizes.reduce((sum, count) => sum + count, 0);
    const marks = turn.sizes.map((_, i) => turn.markOf(i));
    const origins: Origin[] = [];
    const by = this.#originsOf(turn, marks).map(({ step, source }) => placeOf(origins, step, source));
    const tokens = apportionCount(Math.min(turn.input, mostTokens(size)), sizes);
    const weighed = by.map((place, i): Stretch => ({ by: place, tokens: tokens[i] as number, measured: false }));
    const stretches = turn.exact
      ? weighed
      : weighed.map((stretch, i) => ({ ...stretch, tokens: leastTokens(sizes[i] as number) }));
    const talk: Talk = { sizes: [...turn.sizes], marks, origins, stretches, tokens: 0, size, last: turn };
    talk.tokens = sumOf(stretches);
    talk.last = kept(turn);
    this.#talks.push(talk);
    this.#forget();
    return { origins, stretches: weighed };
  }

  /** Who brought each stretch of a conversation that goes on from none: a history that was edited keeps what is left of it. */
  #originsOf({ step, sourceOf }: CountedTurn, marks: readonly number[]): readonly Origin[] {
    const steps = this.#talks.length === 0 ? [] : this.#stepsOf(marks);
    const known = steps.find((by) => by !== undefined);
    const texts = marks.map((_, i): Origin => {
      const source = sourceOf(i);
      // in a history of this run, what the model said it said in the step before
      const fresh = source === 'said' && known !== undefined ? Math.max(1, step - 1) : step;
      return { step: steps[i] ?? fresh, source };
    });
    return [{ step: known ?? step, source: 'request' }, ...texts];
  }

  /** Of each text the step that brought it to another conversation of the run. */
  #stepsOf(marks: readonly number[]): readonly (number | undefined)[] {
    const known = new Map<number, number[]>();
    for (const talk of this.#talks) {
      const nth = counter();
      const texts = talk.stretches.map(({ by }) => talk.origins[by] as Origin).filter(isText);
      for (const [i, mark] of talk.marks.entries()) {
        const steps = known.get(mark) ?? [];
        known.set(mark, steps);
        const place = nth(mark);
        const { step } = texts[i] as Origin;
        steps[place] = Math.min(steps[place] ?? step, step);
      }
    }
    const nth = counter();
    return marks.map((mark) => known.get(mark)?.[nth(mark)]);
  }

  #forget(): void {
    let texts = this.#talks.reduce((sum, { marks }) => sum + marks.length, 0);
    while (this.#talks.length > 1 && (this.#talks.length > CONVERSATIONS || texts > TEXTS)) {
      texts -= this.#talks.shift()?.marks.length ?? 0;
    }
  }
}

const isText = ({ source }: Origin): boolean => source !== 'request';

/** All lengths agree, and so do the texts at both ends: to look at every one would cost more than it could tell. */
function isStartOf({ sizes, marks }: Talk, turn: CountedTurn): boolean {
  const count = sizes.length;
  if (count > turn.sizes.length) return false;
  for (let i = 0; i < count; i += 1) if (sizes[i] !== turn.sizes[i]) return false;
  for (let i = 0; i < count; i += 1) {
    if (i === ENDS && count > 2 * ENDS) i = count - ENDS;
    if (marks[i] !== turn.markOf(i)) return false;
  }
  return true;
}

/** How often a mark was counted before. */
function counter(): (mark: number) => number {
  const times = new Map<number, number>();
  return (mark) => {
    const before = times.get(mark) ?? 0;
    times.set(mark, before + 1);
    return before;
  };
}

/** Where an origin stands, the newest looked at first; it is added where it is new. */
function placeOf(origins: Origin[], step: number, source: string): number {
  const known = origins.findLastIndex((origin) => origin.step === step && origin.source === source);
  return known !== -1 ? known : origins.push({ step, source }) - 1;
}

const sumOf = (stretches: readonly Stretch[]): number => stretches.reduce((sum, { tokens }) => sum + tokens, 0);

const ASKED = (): never => {
  throw new RangeError('the texts of an earlier turn are gone');
};

/** A turn without its texts. */
const kept = (turn: CountedTurn): CountedTurn => ({
  ...turn,
  sizes: [],
  markOf: ASKED,
  sourceOf: ASKED,
  messageOf: ASKED,
});

function goOn(talk: Talk, turn: CountedTurn): WeighedPrompt {
  const { origins, last } = talk;
  const fresh = freshOf(talk, turn);
  const steady = turn.exact && last.exact && turn.model === last.model && turn.input >= talk.tokens;
  const before = { ...last, tokens: talk.tokens };
  talk.last = kept(turn);
  talk.size += fresh.size;
  for (let i = talk.sizes.length; i < turn.sizes.length; i += 1) {
    talk.sizes.push(turn.sizes[i] as number);
    talk.marks.push(turn.markOf(i));
  }
  if (!steady) return { origins, stretches: weighedAnew(talk, turn, fresh) };
  const { tokens, measured } = addedTokens(before, turn, fresh);
  for (const [i, by] of fresh.by.entries()) talk.stretches.push({ by, tokens: tokens[i] as number, measured });
  talk.tokens += tokens.reduce((sum, count) => sum + count, 0);
  return talk;
}

/** What the turn brings that its conversation did not hold: texts, or, where there is none, whatever is new around them. */
function freshOf({ origins, sizes: known, last }: Talk, turn: CountedTurn): Fresh {
  const around = turn.around - last.around;
  const sizes = turn.sizes.slice(known.length);
  const size = sizes.reduce((sum, count) => sum + count, 0) + Math.max(0, around);
  if (sizes.length === 0 && around > 0)
    return { by: [placeOf(origins, turn.step, 'request')], sizes: [around], size, around: 0, said: [] };
  const said: (string | undefined)[] = [];
  const by = sizes.map((_, i) => {
    const text = known.length + i;
    const source = turn.sourceOf(text);
    const isSaid = source === 'said';
    said.push(isSaid ? turn.messageOf(text) : undefined);
    return placeOf(origins, isSaid ? last.step : turn.step, source);
  });
  return { by, sizes, size, around, said };
}

/** Every stretch anew, in proportion to what it weighed: another model counted, the prompt shrank, or nobody knows its size. */
function weighedAnew(talk: Talk, turn: CountedTurn, fresh: Fresh): readonly Stretch[] {
  const before = talk.size - fresh.size;
  const density = before > 0 && talk.tokens > 0 ? talk.tokens / before : leastTokens(1);
  const guesses = fresh.sizes.map((size) => Math.ceil(size * density));
  const estimated = [
    ...talk.stretches.map(({ by, tokens }): Stretch => ({ by, tokens, measured: false })),
    ...fresh.by.map((by, i): Stretch => ({ by, tokens: guesses[i] as number, measured: false })),
  ];
  const tokens = apportionCount(
    Math.min(turn.input, mostTokens(talk.size)),
    estimated.map((stretch) => stretch.tokens),
  );
  const stretches = estimated.map((stretch, i) => ({ ...stretch, tokens: tokens[i] as number }));
  // a count that is not the last word says nothing about the texts
  talk.stretches = turn.exact ? stretches : estimated;
  talk.tokens = sumOf(talk.stretches);
  return stretches;
}
