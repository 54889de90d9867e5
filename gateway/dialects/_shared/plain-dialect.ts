import type { Dialect } from '../../ports/dialect.ts';
import { assistantMark } from '../openai-chat/mark.ts';
import { errorBody, errorEvents, keepAlive } from '../openai-chat/saying.ts';
import { QuietStreamReader } from './quiet-stream-reader.ts';
import { editTexts } from './text-edits.ts';

/** What differs between OpenAI routes without tools and conversation. */
type PlainRoute = Pick<Dialect, 'name' | 'read' | 'readReply'> &
  Partial<Pick<Dialect, 'openStream' | 'errorEvents'>> & {
    /** below the version: `embeddings`, `images/generations` */
    readonly route: string;
  };

/** What the next request would repeat of such an answer: nothing. */
export const NO_MARK = assistantMark('', []);

/** A language of one OpenAI route: its path with or without the version, bearer credential, OpenAI's errors; no stream unless told. */
export function plainDialect({ route, ...own }: PlainRoute): Dialect {
  const paths = new Set(['', '/v1', '/v1/v1'].map((version) => `${version}/${route}`));
  return {
    claims: (method, path) => method === 'POST' && paths.has(path),
    upstreamPath: () => `/v1/${route}`,
    credentialHeaders: ['authorization'],
    editReply: editTexts,
    openStream: () => new QuietStreamReader(() => ({}), NO_MARK),
    error: errorBody,
    errorEvents,
    keepAlive,
    ...own,
  };
}
