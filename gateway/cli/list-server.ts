const MODERN = '2026-07-28';
const LEGACY = '2025-11-25';
const ENVELOPE = 'io.modelcontextprotocol/';
const ACCEPT = 'application/json, text/event-stream';
/** The longest a server may take over one answer; a package that `npx` has to fetch first takes a while. */
const PATIENCE_MS = 60_000;
const PAGES = 100;

/** What a server said of itself, or why it said nothing. */
export type Listed =
  | { readonly version: string; readonly says: string | undefined; readonly names: readonly string[] }
  | { readonly error: string };

type Message = Readonly<Record<string, unknown>>;
interface Answer {
  readonly status: number;
  readonly session: string | undefined;
  readonly message: Message;
}

/** Asks an endpoint of streamable HTTP for its tools: as a client of 2026-07-28, and where that is not spoken, of 2025-11-25. */
export async function listServer(url: string): Promise<Listed> {
  try {
    const modern = await listModern(url);
    return modern ?? (await listLegacy(url));
  } catch (error) {
    if (error instanceof ServerRefusal) return { error: error.message };
    if (error instanceof Error && error.name === 'TimeoutError')
      return { error: `it did not answer within ${PATIENCE_MS / 1000} s` };
    throw error;
  }
}

class ServerRefusal extends Error {}

/** Undefined: it does not speak this revision. */
async function listModern(url: string): Promise<Listed | undefined> {
  const meta = {
    [`${ENVELOPE}protocolVersion`]: MODERN,
    [`${ENVELOPE}clientInfo`]: { name: 'tollgate mcp test', version: '1' },
    [`${ENVELOPE}clientCapabilities`]: {},
  };
  const ask = (method: string, params: Message) =>
    post(url, { id: method, method, params: { ...params, _meta: meta } }, headersOf({ 'mcp-method': method }, MODERN));
  const discovered = await ask('server/discover', {});
  if (resultOf(discovered) === undefined) return undefined;
  const says = selfName(resultOf(discovered));
  return { version: MODERN, says, names: await pages((params) => ask('tools/list', params)) };
}

async function listLegacy(url: string): Promise<Listed> {
  const hello = {
    protocolVersion: LEGACY,
    capabilities: {},
    clientInfo: { name: 'tollgate mcp test', version: '1' },
  };
  const opened = await post(url, { id: 'initialize', method: 'initialize', params: hello }, headersOf({}, undefined));
  const result = resultOf(opened);
  if (result === undefined) throw refusal(opened);
  const version = typeof result['protocolVersion'] === 'string' ? result['protocolVersion'] : LEGACY;
  const session = headersOf(opened.session === undefined ? {} : { 'mcp-session-id': opened.session }, version);
  await post(url, { method: 'notifications/initialized' }, session);
  const names = await pages((params) => post(url, { id: 'tools', method: 'tools/list', params }, session));
  if (opened.session !== undefined) await fetch(url, { method: 'DELETE', headers: session });
  return { version, says: selfName(result), names };
}

const headersOf = (more: Readonly<Record<string, string>>, version: string | undefined): Record<string, string> => ({
  accept: ACCEPT,
  'content-type': 'application/json',
  ...(version !== undefined && { 'mcp-protocol-version': version }),
  ...more,
});

async function pages(ask: (params: Message) => Promise<Answer>): Promise<readonly string[]> {
  const names: string[] = [];
  let cursor: unknown;
  for (let page = 0; page < PAGES; page += 1) {
    const answer = await ask(typeof cursor === 'string' ? { cursor } : {});
    const result = resultOf(answer);
    if (result === undefined) throw refusal(answer);
    const tools = Array.isArray(result['tools']) ? (result['tools'] as readonly Message[]) : [];
    names.push(...tools.map(({ name }) => String(name)));
    cursor = result['nextCursor'];
    if (typeof cursor !== 'string') break;
  }
  return names;
}

async function post(url: string, message: Message, headers: Record<string, string>): Promise<Answer> {
  const reply = await fetch(url, {
    method: 'POST',
    headers,
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const text = await reply.text();
  const session = reply.headers.get('mcp-session-id') ?? undefined;
  return { status: reply.status, session, message: answerIn(text, reply.headers.get('content-type') ?? '') };
}

/** The answer in a body: the body itself, or the last event of a stream. */
function answerIn(text: string, type: string): Message {
  const data = type.startsWith('text/event-stream')
    ? text
        .split(/\r?\n/)
        .findLast((line) => line.startsWith('data: {'))
        ?.slice('data: '.length)
    : text;
  try {
    const value: unknown = JSON.parse(data ?? '');
    return isObject(value) ? value : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

const isObject = (value: unknown): value is Message =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const resultOf = ({ message }: Answer): Message | undefined =>
  isObject(message['result']) ? message['result'] : undefined;

function selfName(result: Message | undefined): string | undefined {
  const meta = result?.['_meta'];
  const info = result?.['serverInfo'] ?? (isObject(meta) ? meta[`${ENVELOPE}serverInfo`] : undefined);
  if (!isObject(info)) return undefined;
  return [info['name'], info['version']].filter((part) => typeof part === 'string').join(' ');
}

function refusal({ status, message }: Answer): ServerRefusal {
  const error = message['error'];
  const said =
    isObject(error) && typeof error['message'] === 'string' ? error['message'] : 'nothing that could be read';
  return new ServerRefusal(`status ${status}, ${said}`);
}
