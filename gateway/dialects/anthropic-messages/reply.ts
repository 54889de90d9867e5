import { Fault } from '../../domain/fault.ts';
import { asString, isArray, isObject, type JsonObject, type JsonText } from '../../domain/json.ts';
import { type Splice, splice, spliceAll } from '../../domain/json-splice.ts';
import { resolvePointer } from '../../domain/pointer.ts';
import type { Reading, ReplyChanges, ReplyReading } from '../../ports/dialect.ts';
import { blockType, isCallType, objectsOf } from './block.ts';
import { markOf } from './mark.ts';
import { proposedCall } from './proposed-call.ts';
import { slotOf } from './slot.ts';
import { UsageMeter } from './usage-meter.ts';

/** What a whole reply says. Throws a Fault (`TG_UPSTREAM_UNREADABLE`) where it is no message. */
export function readReply(doc: JsonText, reading?: Reading): ReplyReading {
  const body = messageOf(doc);
  const blocks = objectsOf(body['content']);
  const parts = blocks.flatMap(({ block, index }) =>
    block['type'] === 'text' && typeof block['text'] === 'string' && block['text'] !== ''
      ? [{ at: `/content/${index}/text`, text: block['text'] }]
      : [],
  );
  const meter = new UsageMeter();
  meter.restart(body['usage']);
  const model = asString(body['model']);
  const { entries, estimated } = meter.metered({ model, cacheWrite: reading?.bound.cacheWrite, outputFloor: 0 });
  const ids = [
    body['id'],
    ...blocks.flatMap(({ block }) => (blockType(block).endsWith('tool_use') ? [block['id']] : [])),
  ];
  return {
    usage: { entries, certainty: meter.stated ? 'exact' : 'ceiling', ...(estimated && { estimated }) },
    servedModel: meter.fallbackModel ?? model,
    calls: callsOf(body).map(({ block, index }) => proposedCall(slotOf(index), block, '')),
    parts,
    text: parts.map(({ text }) => text).join(''),
    issuedIds: ids.filter((id) => typeof id === 'string'),
    mark: markOf('assistant', body['content']),
  };
}

function messageOf({ value }: JsonText): JsonObject {
  if (!isObject(value) || !isArray(value['content']))
    throw new Fault(
      'TG_UPSTREAM_UNREADABLE',
      'the upstream answered with something that is no message; check its `base_url`',
    );
  return value;
}

const callsOf = (body: JsonObject) => objectsOf(body['content']).filter(({ block }) => isCallType(blockType(block)));

/** The reply's text with the changes made. Throws a RangeError where a change has nowhere to land. */
export function editReply(doc: JsonText, changes: ReplyChanges): string {
  const body = messageOf(doc);
  const calls = new Map(callsOf(body).map(({ index }) => [slotOf(index), index]));
  const splices: Splice[] = [];
  for (const [slot, args] of changes.edited)
    splices.push({ at: `/content/${indexOf(calls, slot)}/input`, json: JSON.stringify(args) });
  for (const [slot, text] of changes.denied)
    splices.push({ at: `/content/${indexOf(calls, slot)}`, json: JSON.stringify({ type: 'text', text }) });
  const left = [...calls.keys()].some((slot) => !changes.denied.has(slot));
  if (changes.denied.size > 0 && !left && body['stop_reason'] === 'tool_use')
    splices.push({ at: '/stop_reason', json: '"end_turn"' });
  const edited = spliceAll(doc.text, splices);
  return changes.texts.reduce((text, edit) => {
    if (edit.op === 'remove') return splice(text, { at: edit.at, remove: true });
    // a text that is not there must not be added: the change was meant for something that is
    if (resolvePointer(doc.value, edit.at) === undefined) throw new RangeError(`nothing stands at \`${edit.at}\``);
    return splice(text, { at: edit.at, json: JSON.stringify(edit.value) });
  }, edited);
}

function indexOf(calls: ReadonlyMap<string, number>, slot: string): number {
  const index = calls.get(slot);
  if (index === undefined) throw new RangeError(`the reply has no tool call \`${slot}\``);
  return index;
}
