import { isArray, isObject, type Json, member } from '../../domain/json.ts';
import { splice } from '../../domain/json-splice.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';
import { judgeMessage, type Seat } from './judge-message.ts';

/**
 * Judges an answer of a server and returns what to send. Throws a Fault where it is withheld. A text that is a copy of
 * `structuredContent` gets the same edits (mcp-plane.md 9).
 */
export async function reviewAnswer(seat: Seat, request: RpcMessage, response: RpcMessage): Promise<RpcMessage> {
  const { room } = seat;
  const partsOf = (message: RpcMessage) => room.wire.answered(request, message);
  const { message, edited } = await judgeMessage(seat, response, partsOf, room.limits.message);
  return edited ? withCopies(seat, response, message) : response;
}

/** Texts that spelled the structured content before the edit spell the edited one. */
function withCopies({ room }: Seat, before: RpcMessage, after: RpcMessage): RpcMessage {
  const old = structured(before);
  const now = structured(after);
  if (old === undefined || now === undefined || JSON.stringify(old) === JSON.stringify(now)) return after;
  const texts = (message: RpcMessage): readonly Json[] => {
    const content = member(message.doc.value['result'], 'content');
    return isArray(content) ? content.map((block) => member(block, 'text') ?? null) : [];
  };
  let { text } = after.doc;
  texts(before).forEach((copy, i) => {
    if (typeof copy === 'string' && isCopy(copy, old))
      text = splice(text, { at: `/result/content/${i}/text`, json: JSON.stringify(JSON.stringify(now)) });
  });
  return text === after.doc.text ? after : room.wire.reread(text, room.limits.message);
}

const structured = (message: RpcMessage): Json | undefined => member(message.doc.value['result'], 'structuredContent');

function isCopy(text: string, value: Json): boolean {
  const start = text.trimStart().charAt(0);
  if (start !== '{' && start !== '[') return false;
  try {
    return same(JSON.parse(text) as Json, value);
  } catch {
    // prose that only begins like JSON
    return false;
  }
}

function same(a: Json | undefined, b: Json | undefined): boolean {
  if (isArray(a) && isArray(b)) return a.length === b.length && a.every((item, i) => same(item, b[i]));
  if (isObject(a) && isObject(b)) {
    const names = Object.keys(a);
    return (
      names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]))
    );
  }
  return a === b;
}
