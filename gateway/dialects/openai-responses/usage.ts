import { asCount, asString, isArray, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import type { Leaves, UsageEntry } from '../../domain/usage.ts';
import { type ChatUsage, chatUsage } from '../openai-chat/usage.ts';
import { callKind, isHosted, itemType } from './item.ts';

/** The `usage` of a response, taken apart (meter.md 1.1); undefined where it states none. */
export function responseUsage(usage: Json | undefined): ChatUsage | undefined {
  const read = chatUsage(usage);
  if (!read) return undefined;
  const details = member(member(usage, 'input_tokens_details'), 'cache_write_tokens_details');
  const written = read.leaves.cache_write_5m ?? 0;
  const long = Math.min(written, asCount(member(details, 'ttl_12h_tokens')) ?? 0);
  if (long === 0) return read;
  const { cache_write_5m: _, ...rest } = read.leaves;
  const leaves: Leaves = { ...rest, ...(written > long && { cache_write_5m: written - long }), cache_write_1h: long };
  return { ...read, leaves };
}

/** How often each fee was incurred, and whether that is less than certain. */
export interface CountedFees {
  readonly fees: Readonly<Record<string, number>>;
  readonly estimated: boolean;
}

/**
 * Fees from the items of a reply beside those its usage states; where the two disagree the larger count holds. Only a `search` of the
 * web is charged, not the opening of a page; a container is charged once, and nobody says whether it was paid for before.
 */
export function countedFees(
  items: readonly JsonObject[],
  stated: Readonly<Record<string, number>>,
  body: Json,
): CountedFees {
  const counted = new Map<string, number>();
  const containers = new Set<string>();
  // xAI has no containers: it charges for each call
  const countCode = (item: JsonObject): void => {
    const container = asString(item['container_id']) ?? '';
    if (container === '') add(counted, 'code_interpreter');
    else containers.add(container);
  };
  for (const item of items) {
    const type = itemType(item);
    if (type === 'web_search_call' && isSearch(item)) add(counted, 'web_search');
    else if (type === 'file_search_call') add(counted, 'file_search');
    else if (type === 'code_interpreter_call') countCode(item);
    else if (type === 'shell_call' && callKind(item) === undefined && isHosted(item['environment']))
      containers.add(asString(member(item['environment'], 'container_id')) ?? '');
    else if (type === 'image_generation_call' && imageUsage(body) === undefined) add(counted, 'image_generation');
  }
  if (containers.size > 0) counted.set('code_session', containers.size);
  // what the provider calls billable is the bill
  const billed = asCount(member(member(member(body, 'tool_usage'), 'web_search'), 'num_requests'));
  if (billed !== undefined) counted.set('web_search', billed);
  const fees: Record<string, number> = {};
  let estimated = containers.size > 0 || counted.has('image_generation');
  for (const fee of new Set([...counted.keys(), ...Object.keys(stated)])) {
    const count = Math.max(counted.get(fee) ?? 0, stated[fee] ?? 0);
    estimated ||= stated[fee] !== undefined && stated[fee] < count;
    if (count > 0) fees[fee] = count;
  }
  return { fees, estimated };
}

const add = (counts: Map<string, number>, fee: string): void => {
  counts.set(fee, (counts.get(fee) ?? 0) + 1);
};

const isSearch = (item: JsonObject): boolean => (asString(member(item['action'], 'type')) ?? 'search') === 'search';

const imageUsage = (body: Json): ChatUsage | undefined => drawnUsage(member(member(body, 'tool_usage'), 'image_gen'));

/**
 * The usage of an image model, of the tool or of its own API. It says in a place of its own which cached tokens were of images; what
 * it writes and does not break down is image.
 */
export function drawnUsage(usage: Json | undefined): ChatUsage | undefined {
  if (!isObject(usage)) return undefined;
  const image_tokens = asCount(member(usage['cached_tokens_details'], 'cached_image_tokens')) ?? 0;
  const details = usage['input_tokens_details'];
  const cached = { cached_tokens: usage['cached_tokens'] ?? 0, cached_tokens_details: { image_tokens } };
  const read = chatUsage({ ...usage, input_tokens_details: { ...cached, ...(isObject(details) ? details : {}) } });
  if (!read || isObject(usage['output_tokens_details'])) return read;
  const { output = 0, ...leaves } = read.leaves;
  return { ...read, leaves: { ...leaves, output_image: output } };
}

/** The dearest of the image models: taken where neither request nor reply names one. */
const IMAGE_MODEL = 'gpt-image-1';

/** What the image tool used beside `usage`, at its own model (meter.md 1.1); undefined where it was not used. */
export function imageEntry(
  body: Json,
  asked: string | undefined,
): { readonly entry: UsageEntry; readonly estimated: boolean } | undefined {
  const usage = imageUsage(body);
  if (!usage || Object.values(usage.leaves).every((count) => count === 0)) return undefined;
  const named = imageModel(body) ?? asked;
  return {
    entry: { model: named ?? IMAGE_MODEL, leaves: usage.leaves },
    estimated: usage.estimated || !usage.complete || named === undefined,
  };
}

/** The image model that a body's declared tools name. */
export function imageModel(body: Json): string | undefined {
  const tools = member(body, 'tools');
  const tool = (isArray(tools) ? tools : []).find((one) => itemType(one) === 'image_generation');
  return asString(member(tool, 'model'));
}
