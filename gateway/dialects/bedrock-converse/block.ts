import type { JsonObject } from '../../domain/json.ts';
import type { Frame, ProposedCall } from '../../ports/dialect.ts';
import { proposedCall, slotOf } from './reply.ts';

/** One content block, as far as its events have come. */
export interface Block {
  readonly index: number;
  /** the head of a tool call; undefined: text or reasoning */
  use: JsonObject | undefined;
  raw: string;
  /** pieces of its text, as relayed */
  readonly said: string[];
  open: boolean;
  complete: boolean;
  /** what took the call's place has been sent */
  placed: boolean;
}

export function openBlock(index: number): Block {
  return { index, use: undefined, raw: '', said: [], open: false, complete: false, placed: false };
}

/** What the provider runs itself is no proposal. */
export const isCall = (use: JsonObject | undefined): boolean => use !== undefined && use['type'] !== 'server_tool_use';

export const slotsOf = ({ use, index }: Block): string[] => (isCall(use) ? [slotOf(index)] : []);

export const callIn = ({ index, use, raw }: Block): ProposedCall => proposedCall(slotOf(index), use ?? {}, raw);

/** Ends a block: its call is complete, its text is all there. Once. */
export function close(block: Block): Pick<Frame, 'completes' | 'closes'> {
  const closes = block.open ? [slotOf(block.index)] : [];
  const completes = isCall(block.use) && !block.complete ? [callIn(block)] : [];
  block.open = false;
  block.complete = true;
  return { completes, closes };
}
