import { asString, type Json, member } from '../../domain/json.ts';
import { splice } from '../../domain/json-splice.ts';
import { elementSpans } from '../../domain/json-text.ts';
import { RPC, RpcFault } from '../../domain/rpc-fault.ts';
import { epochMs } from '../../domain/scalars.ts';
import { visibleText } from '../../domain/visible-text.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';
import { openCursor, sealCursor } from '../trust/federated-cursor.ts';
import { type FederatedItem, federateItem, type ListItem, withoutCollisions } from '../trust/federated-items.ts';
import {
  answerWith,
  askAll,
  type FederatedAsk,
  federatedPeers,
  leaveOut,
  resultOf,
  type Share,
} from './federated-ask.ts';
import { type ListKind, listOf } from './lists.ts';
import { review } from './review.ts';
import type { McpRoom } from './room.ts';

/** How long a page may wait to be turned. */
const CURSOR_MS = 60 * 60_000;

const KINDS: Readonly<Record<string, ListItem['kind']>> = {
  tools: 'tool',
  prompts: 'prompt',
  resources: 'resource',
  resourceTemplates: 'resource',
  tasks: 'task',
};

/** The members that name an item, the first that is there. */
const NAMED_BY: Readonly<Record<ListItem['kind'], readonly string[]>> = {
  tool: ['name'],
  prompt: ['name'],
  resource: ['uri', 'uriTemplate'],
  task: ['taskId'],
};

/**
 * A list over all servers: one page of each, in the order of the configuration and then the server's own, pinned and filtered like that
 * server's own list, renamed and sealed for this caller (mcp-plane.md 7 and 8). Throws a Fault where no server answers.
 */
export async function federatedList(ask: FederatedAsk): Promise<void> {
  const { visit, message, era } = ask;
  const list = listOf(message.method) as ListKind;
  const cursors = cursorsOf(ask);
  const peers = federatedPeers(ask).filter(({ server }) => cursors === undefined || cursors.has(server.name));
  const pageFor = (server: string): string => pageText(message, cursors?.get(server));
  const shares = await askAll(ask, peers, pageFor);
  const reviewed = await Promise.all(shares.map((share) => reviewShare(ask, share, pageFor(share.server))));
  const items: FederatedItem[] = [];
  const next = new Map<string, string>();
  for (const [i, response] of reviewed.entries()) {
    const { server } = shares[i] as Share;
    if (response === undefined) continue;
    items.push(...itemsOf(visit.room, server, response, list));
    const cursor = asString(member(response.doc.value['result'], 'nextCursor'));
    if (cursor !== undefined) next.set(server, cursor);
  }
  const shown = withoutCollisions(items).filter((entry) => isShown(ask, entry));
  const until = epochMs(visit.gate.clock.now() + CURSOR_MS);
  const token = sealCursor(visit.room.sealer, visit.principalId, message.method, next, until);
  const members = [
    ...(era === 'modern' ? ['"resultType":"complete"'] : []),
    `${JSON.stringify(list.member)}:[${shown.map(({ text }) => text).join(',')}]`,
    ...(token === undefined ? [] : [`"nextCursor":${JSON.stringify(token)}`]),
    ...(era === 'modern' ? ['"ttlMs":0', '"cacheScope":"private"'] : []),
  ];
  answerWith(ask, `{${members.join(',')}}`);
}

/** Where each server's list goes on; undefined: at the beginning of all. Throws an RpcFault (-32602). */
function cursorsOf({ visit, message }: FederatedAsk): ReadonlyMap<string, string> | undefined {
  const cursor = member(message.doc.value['params'], 'cursor');
  if (cursor === undefined) return undefined;
  const { room, principalId, gate } = visit;
  const opened =
    typeof cursor === 'string'
      ? openCursor(room.sealer, principalId, message.method, cursor, gate.clock.now())
      : undefined;
  if (opened !== undefined) return opened;
  throw new RpcFault(
    RPC.invalidParams,
    '`cursor` is not one that this gate gave you for this list, or it has expired; list again without it',
  );
}

function pageText({ doc }: RpcMessage, cursor: string | undefined): string {
  if (cursor === undefined) return doc.text;
  return splice(doc.text, { at: '/params/cursor', json: JSON.stringify(cursor) });
}

/** A server's page as this caller may have it; undefined where there is none. */
async function reviewShare(
  { visit, message }: FederatedAsk,
  share: Share,
  asked: string,
): Promise<RpcMessage | undefined> {
  const { leg, said, server } = share;
  if (said.response === undefined || resultOf(share) === undefined) {
    const code = member(said.response?.doc.value['error'], 'code');
    if (code !== RPC.methodNotFound) leaveOut(visit, server, `it gave no \`${message.method}\``);
    return undefined;
  }
  const request = visit.room.wire.reread(asked, visit.room.limits.request);
  return (await review(leg, request, said.response, said.answer)).message;
}

function itemsOf(room: McpRoom, server: string, response: RpcMessage, list: ListKind): FederatedItem[] {
  const { text, value } = response.doc;
  const items = member(value['result'], list.member) as readonly Json[];
  const kind = KINDS[list.member] as ListItem['kind'];
  const nameOf = (item: Json | undefined): string =>
    NAMED_BY[kind].map((name) => asString(member(item, name))).find((name) => name !== undefined) ?? '';
  const spans = elementSpans(text, `/result/${list.member}`) ?? [];
  const own = new Set(spans.map((_, i) => nameOf(items[i])));
  return spans.map(({ start, end }, i) =>
    federateItem({ server, kind, name: nameOf(items[i]), text: text.slice(start, end) }, room.names, own),
  );
}

const reported = new WeakMap<McpRoom, Set<string>>();

/** What has no name here is noted in the receipt of every list and logged once. */
function isShown(
  { visit: { room, trail, gate } }: FederatedAsk,
  entry: FederatedItem,
): entry is FederatedItem & { readonly text: string } {
  if (!('hidden' in entry)) return true;
  trail.note(`served on \`/mcp/${entry.item.server}\` only: ${entry.hidden}`);
  const known = reported.get(room) ?? new Set<string>();
  reported.set(room, known);
  const key = `${entry.item.server} ${entry.item.kind} ${entry.item.name}`;
  if (!known.has(key) && known.size < 10_000) {
    known.add(key);
    gate.log.warn(
      { server: entry.item.server, name: visibleText(entry.item.name), why: entry.hidden },
      'not offered on the federated endpoint',
    );
  }
  return false;
}
