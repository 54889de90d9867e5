import { isArray, isObject, type Json, member } from '../../domain/json.ts';
import type { RequestBound } from '../../domain/pricing.ts';
import { elements, fieldOf, pick } from './field.ts';

type ServerTool = RequestBound['serverTools'][number];

/** Fees of grounded answers: older models bill the prompt, newer ones each query (https://ai.google.dev/gemini-api/docs/pricing). */
const GROUNDED: ServerTool = { fee: 'grounded_prompt', maxUses: 1 };
const ENTERPRISE: ServerTool = { fee: 'enterprise_grounded_prompt', maxUses: 1 };
const MAPS: ServerTool = { fee: 'maps_grounded_prompt', maxUses: 1 };
/** Pages one request may read (https://ai.google.dev/gemini-api/docs/url-context). */
const MOST_PAGES = 20;

const KNOWN: Readonly<Record<string, readonly ServerTool[]>> = {
  google_search: [{ fee: 'web_search' }, GROUNDED],
  google_search_retrieval: [{ fee: 'web_search' }, GROUNDED],
  enterprise_web_search: [ENTERPRISE],
  google_maps: [MAPS],
  url_context: [{ fee: 'url_context', maxUses: MOST_PAGES }],
  retrieval: [{ fee: 'retrieval', maxUses: 1 }],
};

/** Members of a tool whose calls the client runs itself. */
const CLIENT = new Set(['function_declarations', 'computer_use']);

const plain = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The name of the provider-run tool that a member of a tool declares, as a list of one or none. */
export const serverToolName = (name: string): string[] =>
  plain(name) === 'function_declarations' ? [] : [plain(name)];

/** The provider-run tools that one element of `tools` declares; what has no known bound has none. */
export function serverTools(tool: Json): ServerTool[] {
  if (!isObject(tool)) return [];
  return Object.entries(tool).flatMap(([name, value]) => {
    const fee = plain(name);
    if (value === null || CLIENT.has(fee)) return [];
    return Object.hasOwn(KNOWN, fee) ? [...(KNOWN[fee] as readonly ServerTool[])] : [{ fee }];
  });
}

/** What a candidate shows of provider-run tools. */
export interface Grounding {
  readonly queries: number;
  readonly maps: boolean;
  readonly grounded: boolean;
}

/** Reads a candidate's `groundingMetadata`: empty metadata is no use of the tool. */
export function groundingOf(candidate: Json): Grounding {
  const found = fieldOf(candidate, 'groundingMetadata');
  const queries = fieldOf(found, 'webSearchQueries');
  const chunks = elements(fieldOf(found, 'groundingChunks'), '');
  const maps = chunks.some(({ value }) => pick(value, 'maps') !== undefined);
  const count = isArray(queries) ? queries.length : 0;
  return {
    queries: count,
    maps,
    grounded: count > 0 || chunks.some(({ value }) => member(value, 'web') !== undefined),
  };
}

/** How often each fee was incurred, given what the request declared. */
export function feesOf(groundings: readonly Grounding[], declared: readonly ServerTool[]): Record<string, number> {
  const fees: Record<string, number> = {};
  const queries = groundings.reduce((sum, one) => sum + one.queries, 0);
  if (groundings.some(({ grounded }) => grounded)) {
    const enterprise = declared.some(({ fee }) => fee === ENTERPRISE.fee);
    if (enterprise) fees[ENTERPRISE.fee] = 1;
    else {
      fees[GROUNDED.fee] = 1;
      if (queries > 0) fees['web_search'] = queries;
    }
  }
  if (groundings.some(({ maps }) => maps)) fees[MAPS.fee] = 1;
  return fees;
}
