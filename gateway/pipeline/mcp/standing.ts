import { Fault } from '../../domain/fault.ts';
import { asString, member } from '../../domain/json.ts';
import type { Standing } from '../../ports/pins.ts';
import type { Ask } from './ask.ts';
import { type ListKind, listOf } from './lists.ts';
import { refreshList } from './refresh-list.ts';

type Pinned = ListKind & { readonly pinned: NonNullable<ListKind['pinned']> };

const LIST_BY_CALL: ReadonlyMap<string, Pinned> = new Map([
  ['tools/call', listOf('tools/list') as Pinned],
  ['prompts/get', listOf('prompts/list') as Pinned],
]);

/**
 * Where what a request names stands; undefined for what is not pinned. A standing older than `max_age`, or none, is found out first by
 * asking the server for its list. Throws a Fault where pins or list cannot be read: then nothing is called (mcp-plane.md 8).
 */
export async function standingOf(ask: Ask): Promise<Standing | undefined> {
  const { visit, peer } = ask.errand;
  const list = LIST_BY_CALL.get(ask.message.method);
  const name = asString(member(ask.message.doc.value['params'], 'name'));
  if (!list || name === undefined) return undefined;
  const { pins } = visit.room;
  const find = (): Promise<Standing> => pins.standing(peer.server.name, list.pinned, name);
  const isStale = (standing: Standing): boolean => {
    const seenAt = standing.state === 'approved' ? standing.seenAt : pins.listedAt(peer.server.name, list.pinned);
    const waits = standing.state === 'waiting' || standing.state === 'quarantined';
    return !waits && visit.gate.clock.now() - seenAt > pins.maxAgeMs;
  };
  const standing = await find();
  if (!isStale(standing)) return standing;
  await visit.room.refreshes.join(`${peer.server.name} ${list.pinned}`, () => refreshed(ask, list));
  return find();
}

async function refreshed({ errand, message, era }: Ask, list: Pinned): Promise<void> {
  const { visit, peer } = errand;
  try {
    await refreshList(errand, message, era, list);
  } catch (error) {
    if (visit.reply.gone.aborted) throw error;
    const why = error instanceof Error ? error.message : 'unknown';
    visit.gate.log.warn({ server: peer.server.name, list: list.method, error: why }, 'a list could not be refreshed');
    throw new Fault(
      'TG_PINS_UNAVAILABLE',
      `it cannot be checked whether \`${peer.server.name}\` still offers what was approved, so nothing of it is called: ${why}`,
      error,
    );
  }
}
