import { Fault } from '../../domain/fault.ts';
import { isArray, isObject, type Json, type JsonObject } from '../../domain/json.ts';
import type { Pointer } from '../../domain/pointer.ts';

const ROLES = ['user', 'assistant', 'system'] as const;

/** One message of a request, its shape checked. */
export interface Message {
  readonly role: (typeof ROLES)[number];
  readonly at: Pointer;
  /** a string, or blocks that each are an object with a `type`; undefined in a system message without text */
  readonly content: string | readonly JsonObject[] | undefined;
}

/** The refusal of a request whose `field` is not what the API and the gate rely on. */
export function badField(field: string, wanted: string): Fault {
  return new Fault('TG_BAD_REQUEST', `\`${field}\` must be ${wanted}`);
}

/** The messages of a request. Throws a Fault (`TG_BAD_REQUEST`) that names the field. */
export function conversationOf(messages: Json | undefined): Message[] {
  if (!isArray(messages)) throw badField('messages', 'an array of messages');
  return messages.map((message, i) => {
    const field = `messages[${i}]`;
    if (!isObject(message)) throw badField(field, 'an object with `role` and `content`');
    const role = ROLES.find((name) => name === message['role']);
    if (!role) throw badField(`${field}.role`, '`user`, `assistant` or `system`');
    const content = message['content'];
    if (content === undefined && role === 'system') return { role, at: `/messages/${i}`, content: undefined };
    return { role, at: `/messages/${i}`, content: contentOf(content, `${field}.content`) };
  });
}

function contentOf(content: Json | undefined, field: string): string | readonly JsonObject[] {
  if (typeof content === 'string') return content;
  if (!isArray(content)) throw badField(field, 'a string or an array of content blocks');
  for (const [i, block] of content.entries()) {
    if (!isObject(block)) throw badField(`${field}[${i}]`, 'an object with a `type`');
    if (typeof block['type'] !== 'string') throw badField(`${field}[${i}].type`, 'a string');
    checkBlock(block, `${field}[${i}]`);
  }
  return content as readonly JsonObject[];
}

/** What the gate reads of a block must be there in one form only, or text could pass unread. */
function checkBlock(block: JsonObject, field: string): void {
  if (block['type'] === 'text' && typeof block['text'] !== 'string') throw badField(`${field}.text`, 'a string');
  if (block['type'] !== 'tool_result') return;
  if (typeof block['tool_use_id'] !== 'string') throw badField(`${field}.tool_use_id`, 'a string');
  const content = block['content'];
  if (content !== undefined && content !== null) contentOf(content, `${field}.content`);
}
