import { Fault } from '../domain/fault.ts';
import type { SocketDialect, SocketLanguage } from '../ports/socket-language.ts';
import { plainDialect } from './_shared/plain-dialect.ts';
import { RealtimeSession } from './openai-realtime/session.ts';

const ROUTE = /^(?:\/v1){0,2}\/realtime$/;

const socket: SocketLanguage = {
  claims: (path) => ROUTE.test(path),
  upstreamPath: () => '/v1/realtime',
  credentialProtocol: 'openai-insecure-api-key.',
  open(path) {
    const query = new URLSearchParams(path.slice(path.indexOf('?') + 1));
    const models = query.getAll('model');
    const [model = ''] = models;
    if (models.length !== 1 || model === '' || query.has('intent') || query.has('call_id'))
      throw new Fault(
        'TG_BAD_REQUEST',
        'a realtime socket names its model: `/v1/realtime?model=…`; transcription sessions (`intent`) and calls begun elsewhere (`call_id`) are not carried',
      );
    return new RealtimeSession(model);
  },
};

const unread = (): never => {
  throw new Fault('TG_UNKNOWN_ROUTE', 'the realtime API is a WebSocket; open it as one');
};

/** The OpenAI Realtime API (https://platform.openai.com/docs/api-reference/realtime): on a WebSocket only. */
export const openaiRealtime: SocketDialect = {
  ...plainDialect({ name: 'openai-realtime', route: 'realtime', read: unread, readReply: unread }),
  claims: () => false,
  openStream: () => unread(),
  socket,
};
