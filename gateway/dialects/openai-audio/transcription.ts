import type { TextPart } from '../../domain/action.ts';
import { Fault } from '../../domain/fault.ts';
import { asCount, asString, isArray, isObject, type Json, type JsonText, member } from '../../domain/json.ts';
import { type Splice, spliceAll } from '../../domain/json-splice.ts';
import type { Usage } from '../../domain/usage.ts';
import type { Reading, ReplyChanges, ReplyReading } from '../../ports/dialect.ts';
import { NO_MARK } from '../_shared/plain-dialect.ts';
import { bodyOf, modelIn, plainReading } from '../_shared/plain-reading.ts';
import { stringParts } from '../_shared/string-parts.ts';
import { textSplices } from '../_shared/text-edits.ts';
import { badRequest } from '../openai-chat/expect.ts';

/** Sound to be written down. What it can cost is bounded by the most seconds the file can hold, or by the model's window. */
export function readTranscription(doc: JsonText, bytes: number): Reading {
  const body = bodyOf(doc);
  const model = modelIn(body);
  const seconds = asCount(member(member(body, 'file'), 'seconds'));
  if (seconds === undefined) throw badRequest('file', 'must be a file of sound in a multipart form');
  const units = { second: seconds };
  const bound = { model, bytes, choices: 1, opaque: ['audio'], serverTools: [], units };
  const input = stringParts(asString(body['prompt']) ?? '', '/prompt');
  return plainReading(doc, { bound, input, stream: body['stream'] === 'true' });
}

/** A transcript. Throws a Fault (`TG_UPSTREAM_UNREADABLE`) where it has no text. */
export function readTranscript({ value }: JsonText, reading?: Reading): ReplyReading {
  const text = asString(member(value, 'text'));
  if (text === undefined) throw new Fault('TG_UPSTREAM_UNREADABLE', 'the reply is no transcript: it has no `text`');
  const parts = [
    ...stringParts(text, '/text'),
    ...repeated(value, 'segments', 'text'),
    ...repeated(value, 'words', 'word'),
  ];
  const usage = transcriptUsage(value, reading?.model);
  return { usage, servedModel: undefined, calls: [], parts, text, issuedIds: [], mark: NO_MARK };
}

function repeated(value: Json, list: string, name: string): TextPart[] {
  const items = member(value, list);
  return (isArray(items) ? items : []).flatMap((item, i) =>
    stringParts(asString(member(item, name)) ?? '', `/${list}/${i}/${name}`),
  );
}

/** What a transcript or the last event of one states: tokens, or seconds. */
export function transcriptUsage(body: Json, model: string | undefined): Usage {
  const usage = member(body, 'usage');
  const seconds = asCount(member(usage, 'seconds'));
  if (seconds !== undefined) return { entries: [{ model, leaves: {}, fees: { second: seconds } }], certainty: 'exact' };
  const [input, output] = [asCount(member(usage, 'input_tokens')), asCount(member(usage, 'output_tokens'))];
  if (input !== undefined && output !== undefined) return tokens(model, input, output, usage);
  const duration = asCount(member(body, 'duration'));
  // servers that state no usage state the length
  if (duration !== undefined && /whisper/.test(model ?? ''))
    return { entries: [{ model, leaves: {}, fees: { second: duration } }], certainty: 'exact', estimated: true };
  return { entries: [{ model, leaves: {} }], certainty: 'floor' };
}

/** Input that is not told apart is taken for sound, which costs more. */
function tokens(model: string | undefined, input: number, output: number, usage: Json | undefined): Usage {
  const details = member(usage, 'input_token_details');
  const sound = asCount(member(details, 'audio_tokens'));
  const text = asCount(member(details, 'text_tokens')) ?? 0;
  const input_audio = Math.min(input, Math.max(sound ?? input, input - text));
  const total = asCount(member(usage, 'total_tokens')) ?? input + output;
  const unsaid = Math.max(0, total - input - output);
  const torn = total !== input + output || (sound !== undefined && sound + text !== input);
  const leaves = { input: input - input_audio, input_audio, output: output + unsaid };
  return {
    entries: [{ model, leaves }],
    certainty: 'exact',
    ...((torn || sound === undefined) && { estimated: true }),
  };
}

/** The transcript with its texts edited. Probabilities spell the words out again, so they go with an edit. */
export function editTranscript(doc: JsonText, { denied, edited, texts }: ReplyChanges): string {
  const [slot] = [...denied.keys(), ...edited.keys()];
  if (slot !== undefined || !isObject(doc.value)) throw new RangeError(`the reply has no call \`${slot}\``);
  const spelled: Splice[] = texts.length > 0 && 'logprobs' in doc.value ? [{ at: '/logprobs', remove: true }] : [];
  return spliceAll(doc.text, [...textSplices(texts), ...spelled]);
}
