import { Fault } from '../../domain/fault.ts';
import type { JsonText } from '../../domain/json.ts';
import { asCount, member } from '../../domain/json.ts';
import type { MessageMark, Reading, ReplyReading } from '../../ports/dialect.ts';
import { NO_CAP } from './plain-reading.ts';

/** A request whose tokens are only counted: the same texts, nothing produced, free of charge. */
export const countReading = (reading: Reading): Reading => ({
  ...reading,
  stream: false,
  bound: { ...reading.bound, outputCap: 0, free: true },
  cap: { at: NO_CAP, floor: 1 },
});

/** A count is no usage. Throws a Fault (`TG_UPSTREAM_UNREADABLE`) where `field` is none. */
export function countReply({ value }: JsonText, field: string, mark: MessageMark): ReplyReading {
  if (asCount(member(value, field)) === undefined)
    throw new Fault('TG_UPSTREAM_UNREADABLE', `the reply is no count of tokens: it has no \`${field}\``);
  const usage = { entries: [], certainty: 'exact' as const };
  return { usage, servedModel: undefined, calls: [], parts: [], text: '', issuedIds: [], mark };
}
