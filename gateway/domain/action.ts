import type { Json } from './json.ts';
import type { Pointer } from './pointer.ts';

/** Where a call can be stopped (actions.md 1). */
export const POINTS = [
  'agent_startup',
  'input',
  'pre_model_call',
  'post_model_call',
  'pre_tool_call',
  'post_tool_call',
  'output',
  'agent_shutdown',
] as const;
export type Point = (typeof POINTS)[number];

export type Plane = 'llm' | 'mcp' | 'hook';

export interface ToolRef {
  readonly name: string;
  readonly server?: string | undefined;
  /** the provider's id of this call, where it has one */
  readonly callId?: string | undefined;
  /** what one call costs in US dollars, where that is known */
  readonly priceUsd?: number | undefined;
  /** its definition is the one somebody approved; undefined: not known */
  readonly pinned?: boolean | undefined;
  /** what its server admits of it; facts of the policy are tightened by it, never relaxed */
  readonly claims?: ToolClaims | undefined;
}

/** Dangers that a server states of its own tool. */
export interface ToolClaims {
  /** it changes things */
  readonly writes: boolean;
  /** it deals with whatever is out there, so anybody may have written its output */
  readonly openWorld: boolean;
}

export interface ModelRef {
  /** the price table's word for who serves it */
  readonly provider: string;
  readonly name: string;
  readonly stream: boolean;
  readonly maxOutputTokens?: number | undefined;
  /** names of the tools the request declares */
  readonly tools: readonly string[];
}

/** A stretch of text inside a policy target that detectors read and redaction edits. */
export interface TextPart {
  /** where it is, relative to the action's target; it names a JSON string */
  readonly at: Pointer;
  readonly text: string;
  /** why its bytes must never change (signed thinking, encrypted reasoning); undefined: it may be edited */
  readonly frozen?: string | undefined;
}

/** One thing to be judged: a point, what it is about, and the target that a verdict may touch. */
export interface Action {
  readonly point: Point;
  readonly plane: Plane;
  readonly tool?: ToolRef | undefined;
  readonly model?: ModelRef | undefined;
  /** the policy target: request body, arguments, result, response or text (actions.md 1) */
  readonly target: Json;
  readonly parts: readonly TextPart[];
}

/** A change to a policy target, at a pointer relative to it. */
export type Edit =
  | { readonly op: 'set'; readonly at: Pointer; readonly value: Json }
  | { readonly op: 'remove'; readonly at: Pointer };
