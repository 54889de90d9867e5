import { apportionCount } from '../../domain/apportion.ts';
import type { CountedTurn } from '../../ports/runs.ts';

/** A text is at most so many tokens for each of its characters, and a prompt holds so many that it does not show (meter.md 3.1). */
const MOST_TOKENS = 2;
const UNSEEN_TOKENS = 1024;
/** A token where nobody counted. */
const CHARACTERS = 4;
/** So much wrapping may come with a text, beside one character of escapes for each of its own; more is something else. */
const WRAPPING = 512;
/** An answer is at most a token for every two characters, and a few for each text of it; more was thought and does not come back. */
const ANSWER_CHARACTERS = 2;
const ANSWER_TOKENS = 32;

/** The most tokens that so many UTF-16 units of a request explain. */
export const mostTokens = (size: number): number => size * MOST_TOKENS + UNSEEN_TOKENS;

/** What a text weighs by its size alone. */
export const leastTokens = (size: number): number => Math.ceil(size / CHARACTERS);

/** Stretches that a turn is the first to bring. */
export interface Fresh {
  /** who brought each */
  readonly by: readonly number[];
  readonly sizes: readonly number[];
  /** UTF-16 units of them all, with what is around them */
  readonly size: number;
  /** what came around them: wrapping, escapes; below zero where settings went */
  readonly around: number;
  /** of each text that the model said: the message it stands in */
  readonly said: readonly (string | undefined)[];
}

/** The turn before: what it counted, and what of it its stretches explained. */
export type Before = Pick<CountedTurn, 'input' | 'answer' | 'tools'> & { readonly tokens: number };

export interface FreshTokens {
  readonly tokens: readonly number[];
  readonly measured: boolean;
}

/**
 * How many tokens each new stretch of a conversation weighs, whose prompts were counted exactly by one model before and now: together what
 * the prompt grew by, as far as their size explains it. `measured` where the two counts alone say it; by size where they do not.
 */
export function addedTokens(before: Before, turn: CountedTurn, fresh: Fresh): FreshTokens {
  const grew = turn.input - before.input;
  const room = turn.input - before.tokens;
  const share = fresh.sizes.length === 0 ? 0 : Math.min(grew >= 0 ? grew : room, mostTokens(fresh.size));
  const whole = share === grew && before.tokens === before.input && turn.tools === before.tools;
  const measured = whole && isWrapped(fresh) ? measuredTokens(grew, before.answer, fresh) : undefined;
  return { tokens: measured ?? apportionCount(share, fresh.sizes), measured: measured !== undefined };
}

/** Nothing but the texts is new: what came around them is their wrapping. */
function isWrapped({ sizes, around }: Fresh): boolean {
  const texts = sizes.reduce((sum, size) => sum + size, 0);
  return around >= 0 && around <= texts + WRAPPING * sizes.length;
}

/**
 * One thing came: it is the whole difference. The model's answer and one other thing came: the answer is what its own turn counted as
 * output, the other the rest. Undefined where more came, or the answer is not what was counted.
 */
function measuredTokens(grew: number, answer: number | undefined, fresh: Fresh): readonly number[] | undefined {
  const { by, sizes, said } = fresh;
  const others = by.filter((_, i) => said[i] === undefined);
  if (new Set(by).size === 1) return apportionCount(grew, sizes);
  if (answer === undefined || answer >= grew || new Set(others).size !== 1) return undefined;
  const ofAnswer = sizes.map((size, i) => (said[i] === undefined ? 0 : size));
  const characters = ofAnswer.reduce((sum, size) => sum + size, 0);
  const messages = new Set(said.filter((message) => message !== undefined));
  const most = characters / ANSWER_CHARACTERS + ANSWER_TOKENS * (by.length - others.length);
  if (messages.size !== 1 || answer > most) return undefined;
  const spoken = apportionCount(answer, ofAnswer);
  const rest = apportionCount(
    grew - answer,
    sizes.map((size, i) => (said[i] === undefined ? size : 0)),
  );
  return sizes.map((_, i) => (said[i] === undefined ? rest : spoken)[i] as number);
}
