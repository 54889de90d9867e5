import { Fault } from '../../domain/fault.ts';
import { isArray, isObject, type JsonText, member } from '../../domain/json.ts';
import type { MessageMark, ProposedCall, ReplyReading } from '../../ports/dialect.ts';
import { append } from '../_shared/append.ts';
import { denseBytes } from '../_shared/least-tokens.ts';
import { proposedCall, type WireCall } from './arguments.ts';
import { choiceNumber, isVisible, messageCalls, messageParts, stretches } from './choice.ts';
import { assistantMark, isUniqueId } from './mark.ts';
import { Meter } from './meter.ts';

/** Reads a complete chat completion. Throws a Fault (`TG_UPSTREAM_UNREADABLE`) where it has no list of choices. */
export function readReply(doc: JsonText): ReplyReading {
  const choices = member(doc.value, 'choices');
  if (!isArray(choices))
    throw new Fault('TG_UPSTREAM_UNREADABLE', 'the reply is no chat completion: it has no list of `choices`');
  const meter = new Meter();
  const stated = meter.take(doc.value);
  const calls: WireCall[] = [];
  const parts: ReplyReading['parts'][number][] = [];
  const texts: string[] = [];
  let mark: MessageMark | undefined;
  for (const [i, choice] of choices.entries()) {
    const message = member(choice, 'message');
    if (!isObject(message)) continue;
    const own = messageCalls(message, choiceNumber(choice, i));
    const found = stretches(message);
    const text = found
      .filter(isVisible)
      .map((stretch) => stretch.text)
      .join('');
    append(calls, own);
    append(parts, messageParts(message, `/choices/${i}/message`));
    texts.push(text);
    mark ??= assistantMark(text, own);
    meter.cite(member(message, 'annotations'));
    for (const written of [...found.map((stretch) => stretch.text), ...own.map(({ tool, raw }) => tool + raw)])
      meter.wrote(denseBytes(written));
  }
  const proposed: ProposedCall[] = calls.map(proposedCall);
  return {
    usage: meter.usage(stated),
    servedModel: meter.model,
    calls: proposed,
    parts,
    text: texts.filter((text) => text !== '').join('\n'),
    issuedIds: [...new Set(calls.map((call) => call.callId).filter(isUniqueId))],
    mark: mark ?? assistantMark('', []),
  };
}
