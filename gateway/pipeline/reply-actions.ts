import type { Action, ModelRef } from '../domain/action.ts';
import type { Json } from '../domain/json.ts';
import type { Pointer } from '../domain/pointer.ts';
import type { ProposedCall, ReplyReading } from '../ports/dialect.ts';

/** A call that the model proposes; `priceUsd`: what it would cost, where somebody wrote its price. */
export function proposedCall(call: ProposedCall, model: ModelRef, priceUsd: number | undefined): Action {
  return {
    point: 'pre_tool_call',
    plane: 'llm',
    model,
    tool: { name: call.tool, server: call.server, callId: call.callId, priceUsd },
    target: call.args,
    parts: call.parts,
  };
}

/** The model's answer as a whole. */
export function modelAnswer(body: Json, reading: ReplyReading, model: ModelRef): Action {
  return { point: 'post_model_call', plane: 'llm', model, target: body, parts: reading.parts };
}

/** The final text: an answer without tool calls, as a list of its texts. */
export function finalOutput(reading: ReplyReading, model: ModelRef): { action: Action; places: readonly Pointer[] } {
  return {
    action: {
      point: 'output',
      plane: 'llm',
      model,
      target: reading.parts.map((part) => part.text),
      parts: reading.parts.map((part, i) => ({ ...part, at: `/${i}` })),
    },
    places: reading.parts.map((part) => part.at),
  };
}

/** A stretch of streamed text at `point`, as a list of one. */
export function streamedText(point: 'post_model_call' | 'output', text: string, model: ModelRef): Action {
  return { point, plane: 'llm', model, target: [text], parts: [{ at: '/0', text }] };
}
