import { asString, type Json, member } from '../../domain/json.ts';

const JOINED = /^user_([^_]+)_account_(.*?)_session_(.+)$/;

/**
 * The names in `metadata.user_id`. Claude Code packs three into it, as JSON or, before 2.1.78, joined by underscores
 * (attribution.md 2); any other id is the `user`. Self-reported: good for grouping, never for access.
 */
export function assertedNames(metadata: Json | undefined): Readonly<Record<string, string>> {
  const id = asString(member(metadata, 'user_id'));
  if (id === undefined || id === '') return {};
  const packed = fromJson(id) ?? fromJoined(id);
  return packed ?? { user: id };
}

function fromJson(id: string): Record<string, string> | undefined {
  if (!id.startsWith('{')) return undefined;
  let value: Json;
  try {
    value = JSON.parse(id) as Json;
  } catch {
    // an id that merely looks like JSON is an id
    return undefined;
  }
  return named(
    asString(member(value, 'session_id')),
    asString(member(value, 'account_uuid')),
    asString(member(value, 'device_id')),
  );
}

function fromJoined(id: string): Record<string, string> | undefined {
  const match = JOINED.exec(id);
  return match ? named(match[3], match[2], match[1]) : undefined;
}

function named(session?: string, account?: string, device?: string): Record<string, string> | undefined {
  const names = { ...(session && { session }), ...(account && { account }), ...(device && { device }) };
  return Object.keys(names).length === 0 ? undefined : names;
}
