import type { Action, ModelRef } from '../domain/action.ts';
import type { Pointer } from '../domain/pointer.ts';
import type { Principal } from '../domain/principal.ts';
import type { Reading } from '../ports/dialect.ts';

/** An action with the place of its target in the body: one pointer, or one for each text of a list. */
export interface PlacedAction {
  readonly action: Action;
  readonly base: Pointer | readonly Pointer[];
}

export function modelOf(reading: Reading, provider: string): ModelRef {
  return {
    provider,
    name: reading.model,
    stream: reading.stream,
    maxOutputTokens: reading.bound.outputCap,
    tools: reading.tools,
  };
}

/** What a request brings before the model call itself: the start of a run, the user's words, tool results (actions.md 1). */
export function arrivingActions(
  reading: Reading,
  model: ModelRef,
  principal: Principal,
  first: boolean,
): PlacedAction[] {
  const actions: PlacedAction[] = [];
  if (first) {
    const target = {
      agent: principal.agent.id,
      human: principal.human?.id ?? null,
      tenant: principal.tenant.id,
      tools: reading.tools,
    };
    actions.push({ action: { point: 'agent_startup', plane: 'llm', model, target, parts: [] }, base: [] });
  }
  if (reading.input && reading.input.parts.length > 0) {
    const { parts } = reading.input;
    const texts = parts.map((part, i) => ({ ...part, at: `/${i}` }));
    actions.push({
      action: { point: 'input', plane: 'llm', model, target: parts.map((part) => part.text), parts: texts },
      base: parts.map((part) => part.at),
    });
  }
  for (const result of reading.results) {
    actions.push({
      action: {
        point: 'post_tool_call',
        plane: 'llm',
        model,
        tool: { name: result.tool, callId: result.callId },
        target: result.content,
        parts: result.parts,
      },
      base: result.at,
    });
  }
  return actions;
}

/** The model call itself: the whole body as it would be sent. */
export function modelCallAction(reading: Reading, model: ModelRef): PlacedAction {
  return {
    action: { point: 'pre_model_call', plane: 'llm', model, target: reading.doc.value, parts: reading.parts },
    base: '',
  };
}
