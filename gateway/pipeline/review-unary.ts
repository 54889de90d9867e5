import type { Edit, ModelRef } from '../domain/action.ts';
import { Fault } from '../domain/fault.ts';
import type { Json, JsonText } from '../domain/json.ts';
import { JsonFault, parseStrict } from '../domain/json-text.ts';
import { nanoToNumber } from '../domain/money.ts';
import type { JudgedAction } from '../domain/receipt.ts';
import type { Verdict } from '../domain/verdict.ts';
import { applyEdits } from '../policy/apply-edits.ts';
import type { Dialect, ProposedCall, Reading, ReplyReading } from '../ports/dialect.ts';
import { ask } from './ask.ts';
import { denial } from './decide.ts';
import type { ReplyFacts } from './facts.ts';
import { bodyTarget } from './identities.ts';
import { type Bench, denialText, judge } from './judgement.ts';
import { editsOfTexts } from './landing.ts';
import { finalOutput, modelAnswer, proposedCall } from './reply-actions.ts';
import type { CallRuling } from './stream-review.ts';

/** What reviewing needs beside the bench. */
export interface Hearing {
  readonly bench: Bench;
  readonly dialect: Dialect;
  readonly model: ModelRef;
  /** the request that is answered */
  readonly asked: Reading;
  readonly record: (action: JudgedAction) => void;
}

/** Judges one proposed tool call. A call whose arguments are not readable is judged on their raw text. */
export function ruleCall({ bench, model, record }: Hearing, call: ProposedCall): CallRuling {
  const judged = judge(bench, proposedCall(call, model, priceOf(bench, call)));
  record(judged.record);
  const { verdict } = judged;
  if (verdict.decision === 'deny' || verdict.decision === 'escalate') {
    return { kind: 'deny', text: `[${denialText(verdict, `the call of tool \`${call.tool}\``)}]` };
  }
  if (verdict.edits.length === 0) {
    offer(bench, call, call.args);
    return { kind: 'pass' };
  }
  try {
    const args = applyEdits(call.args, verdict.edits);
    offer(bench, call, args);
    return { kind: 'edit', args };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const why = 'an edit of this rule could not land in the arguments';
    return {
      kind: 'deny',
      text: `[tollgate denied the call of tool \`${call.tool}\` by rule \`${verdict.rule}\`: ${why}]`,
    };
  }
}

/** The call is known where it is carried out: the execution is the same step (attribution.md 7). */
function offer({ gate, space, principal, facts }: Bench, { tool, callId }: ProposedCall, args: Json): void {
  const run = principal.run.id;
  const { steps } = gate.runs.facts(space, run, facts.now);
  gate.proposals.offer(space, tool, args, { run, step: steps, callId, at: facts.now });
}

/** What a proposed call can cost at most; undefined where nobody wrote a price, or part of it has no bound. */
function priceOf({ gate, facts }: Bench, { server, tool, args }: ProposedCall): number | undefined {
  const price = gate.cashier.tool(server, tool, args, facts.now);
  return price?.bounded ? nanoToNumber(price.amount) : undefined;
}

/**
 * Judges a complete reply and returns the text to send; the same text where nothing changed. Throws a Fault (`TG_POLICY_DENIED`) where
 * the reply is withheld whole.
 */
export function reviewUnary(hearing: Hearing, doc: JsonText, first: ReplyReading, facts: ReplyFacts): string {
  return reviewRest(hearing, reviewAnswer(hearing, doc, first, facts), facts);
}

/** As `reviewUnary`, where remote detectors may have to be asked before each step. */
export async function reviewUnaryAsking(
  hearing: Hearing,
  doc: JsonText,
  first: ReplyReading,
  facts: ReplyFacts,
  signal: AbortSignal,
): Promise<string> {
  const { bench, model } = hearing;
  await ask(bench, [modelAnswer(doc.value, first, model)], signal);
  const answered = reviewAnswer(hearing, doc, first, facts);
  const { calls } = answered.reading;
  const next =
    calls.length > 0
      ? calls.map((c) => proposedCall(c, model, undefined))
      : [finalOutput(answered.reading, model).action];
  await ask(bench, next, signal);
  return reviewRest(hearing, answered, facts);
}

interface Answered {
  readonly text: string;
  readonly reading: ReplyReading;
}

/** The answer as a whole, with what its verdict changes. */
function reviewAnswer(hearing: Hearing, doc: JsonText, first: ReplyReading, facts: ReplyFacts): Answered {
  const { bench, dialect, model, record } = hearing;
  const answer = judge(bench, modelAnswer(doc.value, first, model), {
    identityTarget: bodyTarget(doc.text),
    reply: facts,
  });
  record(answer.record);
  refuse(answer.verdict, 'the answer of the model');
  if (answer.verdict.edits.length === 0) return { text: doc.text, reading: first };
  return reread(hearing, () => editTexts(dialect, doc.text, answer.verdict.edits), answer.verdict);
}

/** Its tool calls, or its final text. */
function reviewRest(hearing: Hearing, { text, reading }: Answered, facts: ReplyFacts): string {
  const { bench, model, record } = hearing;
  if (reading.calls.length > 0) return reviewCalls(hearing, text, reading);
  if (reading.parts.length === 0) return text;
  const { action, places } = finalOutput(reading, model);
  const output = judge(bench, action, { reply: facts });
  record(output.record);
  refuse(output.verdict, 'the output');
  if (output.verdict.edits.length === 0) return text;
  const base = text;
  return reread(
    hearing,
    () => editTexts(hearing.dialect, base, editsOfTexts(places, output.verdict.edits)),
    output.verdict,
  ).text;
}

function reviewCalls(hearing: Hearing, text: string, reading: ReplyReading): string {
  const denied = new Map<string, string>();
  const edited = new Map<string, Json>();
  for (const call of reading.calls) {
    const ruling = ruleCall(hearing, call);
    if (ruling.kind === 'deny') denied.set(call.slot, ruling.text);
    else if (ruling.kind === 'edit') edited.set(call.slot, ruling.args);
  }
  if (denied.size === 0 && edited.size === 0) return text;
  try {
    return hearing.dialect.editReply({ text, value: JSON.parse(text) as Json }, { denied, edited, texts: [] });
  } catch (error) {
    throw withheld(error, undefined);
  }
}

/** Edits land through the language, which knows what else spells the text out (log probabilities, say). */
function editTexts(dialect: Dialect, text: string, texts: readonly Edit[]): string {
  return dialect.editReply({ text, value: JSON.parse(text) as Json }, { denied: new Map(), edited: new Map(), texts });
}

function refuse(verdict: Verdict, what: string): void {
  if (verdict.decision === 'deny' || verdict.decision === 'escalate') throw denial(verdict, what);
}

function reread(
  { dialect, asked }: Hearing,
  edit: () => string,
  verdict: Verdict,
): { text: string; reading: ReplyReading } {
  try {
    const text = edit();
    return { text, reading: dialect.readReply(parseStrict(text), asked) };
  } catch (error) {
    throw withheld(error, verdict.rule);
  }
}

/** An edit that cannot land is a denial; anything else is a defect and goes on as it is. */
function withheld(error: unknown, rule: string | undefined): unknown {
  if (!(error instanceof RangeError || error instanceof JsonFault || error instanceof Fault)) return error;
  const message = 'tollgate withheld the answer: an edit could not land in it';
  return new Fault('TG_POLICY_DENIED', message, error, { rule, reason: 'runtime_error:transform_failed' });
}
