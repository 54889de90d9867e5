import type { Action } from '../domain/action.ts';
import { selectionOf } from './facts.ts';
import type { Bench } from './judgement.ts';

const NEVER = new AbortController().signal;

/**
 * Asks the remote detectors that rules about these actions name, so that judging them afterwards has the answers at hand. Call it
 * before `judge`, with the actions as they will be judged: a text that was not asked about counts as found. Asks nothing where no rule
 * that could apply names one.
 */
export async function ask(bench: Bench, actions: readonly Action[], signal: AbortSignal = NEVER): Promise<void> {
  const { gate, noses, facts } = bench;
  if (!noses.asks) return;
  const questions: Promise<void>[] = [];
  for (const action of actions) {
    if (action.parts.length === 0) continue;
    const { detectors } = gate.judge.relevance(selectionOf(facts, action));
    questions.push(
      noses.ask(
        detectors,
        action.parts.map((part) => part.text),
        bench,
        signal,
      ),
    );
  }
  if (questions.length > 0) await Promise.all(questions);
}
