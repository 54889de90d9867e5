import type { SocketLanguage } from '../../ports/socket-language.ts';
import { ResponsesSession } from './socket-session.ts';

const ROUTE = /^(?:\/v1){0,2}\/responses$/;

/** Responses over a WebSocket (https://platform.openai.com/docs/guides/websocket-mode): one socket, many responses, in lanes. */
export const responsesSocket: SocketLanguage = {
  claims: (path) => ROUTE.test(path),
  upstreamPath: () => '/v1/responses',
  credentialProtocol: 'openai-insecure-api-key.',
  open: () => new ResponsesSession(),
};
