import type { TextPart } from '../domain/action.ts';
import type { Nano } from '../domain/scalars.ts';
import { textMark } from '../domain/text-mark.ts';
import { summarize, type Usage } from '../domain/usage.ts';
import type { Reading } from '../ports/dialect.ts';
import type { CountedTurn, RunSpace } from '../ports/runs.ts';
import { causesOf } from '../price/causes.ts';
import type { Gateway } from './gateway.ts';
import type { Outcome } from './outcome.ts';
import type { Trail } from './trail.ts';

/**
 * Notes which steps of the run caused what this call was charged. Never throws: a share that cannot be worked out leaves the charge with
 * its own step.
 */
export function noteCauses(
  gate: Gateway,
  trail: Trail,
  at: { readonly space: RunSpace; readonly run: string },
  asked: Reading,
  outcome: Outcome,
  charged: Nano,
): void {
  const { usage } = outcome;
  const { cost } = trail;
  if (!outcome.served || !usage || !cost || charged === 0n || asked.members) return;
  try {
    const prompt = gate.runs.weigh(at.space, at.run, turnOf(trail, asked, outcome, usage));
    const causes = causesOf(trail.step, prompt, usage, cost, charged);
    trail.causes = causes.length > 0 ? causes : undefined;
  } catch (error) {
    gate.log.error({ call: trail.id, error }, 'what caused the cost of a call was not worked out; its own step has it');
  }
}

/** The request as its run counts it: the texts of the conversation, and what is around them. */
function turnOf(trail: Trail, asked: Reading, { servedModel }: Outcome, usage: Usage): CountedTurn {
  const root = conversationOf(asked);
  const texts: TextPart[] = [];
  const sizes: number[] = [];
  let around = asked.doc.text.length;
  for (const part of asked.parts) {
    if (root !== undefined && !isIn(part.at, root)) continue;
    texts.push(part);
    sizes.push(part.text.length);
    around -= part.text.length;
  }
  const counts = summarize(usage);
  const exact = isOnePrompt(usage);
  return {
    step: trail.step,
    model: servedModel ?? asked.model,
    tools: textMark(asked.tools.join('\n')),
    sizes,
    markOf: (text) => textMark(texts[text]?.text ?? ''),
    sourceOf: sourcesOf(asked, texts),
    messageOf: (text) => messageAt(texts[text]?.at ?? ''),
    around: Math.max(0, around),
    input: counts.input + counts.cache_read + counts.cache_write,
    exact,
    answer: exact && isRepeated(trail, asked, usage) ? counts.output : undefined,
  };
}

/** The count is the provider's last word on one prompt; where it ran tools of its own, it adds up several. */
const isOnePrompt = ({ certainty, estimated, entries }: Usage): boolean =>
  certainty === 'exact' &&
  estimated !== true &&
  entries.length === 1 &&
  Object.values(entries[0]?.fees ?? {}).every((count) => count === 0);

/** All output is what the next request will repeat: no thinking, no sound, no second choice, and no rule changed it. */
function isRepeated(trail: Trail, { bound }: Reading, { entries }: Usage): boolean {
  const { leaves } = entries[0] ?? { leaves: {} };
  const others = (leaves.reasoning ?? 0) + (leaves.output_audio ?? 0) + (leaves.output_image ?? 0);
  const changed = trail.decision !== 'allow' && trail.decision !== 'warn';
  return others === 0 && (leaves.output_video ?? 0) === 0 && bound.choices === 1 && !changed;
}

/** The member of the body that holds the conversation: where the newest words or results stand. */
function conversationOf({ input, results }: Reading): string | undefined {
  const at = input?.parts[0]?.at ?? results.at(-1)?.at;
  return at === undefined ? undefined : firstTokens(at, 1);
}

/** The message a pointer leads into, such as `/messages/3`. */
const messageAt = (at: string): string => firstTokens(at, 2);

function firstTokens(at: string, count: number): string {
  let end = 0;
  for (let i = 0; i < count && end !== -1; i += 1) end = at.indexOf('/', end + 1);
  return end === -1 ? at : at.slice(0, end);
}

const isIn = (at: string, root: string): boolean =>
  at.startsWith(root) && (at.length === root.length || at[root.length] === '/');

/** Says what a text is; what that takes is looked up when the first is asked about. */
function sourcesOf({ results, input }: Reading, texts: Reading['parts']): (text: number) => string {
  let known: { readonly own: ReadonlySet<string>; readonly tools: ReadonlyMap<string, string> } | undefined;
  return (text) => {
    known ??= {
      own: new Set(input?.parts.map(({ at }) => at)),
      tools: new Map(results.map(({ at, tool }) => [at, tool])),
    };
    const at = texts[text]?.at ?? '';
    const tool = toolAt(at, known.tools);
    return tool !== undefined ? `tool:${tool}` : known.own.has(at) ? 'input' : 'said';
  };
}

/** The tool whose result the text at `at` is in, the result that is nearest to it. */
function toolAt(at: string, tools: ReadonlyMap<string, string>): string | undefined {
  for (let end = at.length; end >= 0; end = end === 0 ? -1 : at.lastIndexOf('/', end - 1)) {
    const tool = tools.get(at.slice(0, end));
    if (tool !== undefined) return tool;
  }
  return undefined;
}
