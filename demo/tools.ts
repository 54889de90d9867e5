import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { loadConfig } from '../gateway/config/load.ts';
import { startGateway } from '../gateway/main.ts';
import { FAKE_SECRET } from './fake-secret.ts';

/** One thing that was done with a tool, and what came of it. */
export interface ToolAct {
  readonly what: string;
  readonly decision: 'allow' | 'DENY' | 'redact' | 'HIDE';
  readonly shown: string;
}

const ROOT = resolve(import.meta.dirname, '..');
const npmServer = (name: string): string => join(ROOT, 'node_modules/@modelcontextprotocol', name, 'dist/index.js');

const POLICY = `policy: tollgate/v1
name: tools
default: allow
rules:
  - id: files-are-read-only
    at: pre_tool_call
    servers: files
    tools: ["*write*", "*edit*", "*move*", "*create*"]
    verdict: deny
    reason: read_only
    message: files are only read here; say what you would have written instead
`;

/** Two servers from npm and one that turns, each a process of the gate's. Eras are named, which spares the gate a probe. */
const configFor = (folder: string): string =>
  JSON.stringify({
    listen: { port: 0 },
    office: { port: 0 },
    mcp: {
      servers: {
        files: { command: [process.execPath, npmServer('server-filesystem'), folder], era: 'legacy' },
        memory: {
          command: [process.execPath, npmServer('server-memory')],
          env: { MEMORY_FILE_PATH: join(folder, 'memory.jsonl') },
          era: 'legacy',
        },
        weather: { command: [process.execPath, join(import.meta.dirname, 'turncoat-process.ts')], era: 'legacy' },
      },
      pins: { mode: 'first-use' },
    },
    state: './data',
    policies: './policies',
    pricing: join(ROOT, 'pricing'),
    log: { level: 'error' },
    limits: { shutdown_s: 1 },
  });

/** Plays the fourth act: a gate with three MCP servers behind one address, called with the official SDK's client. Throws where it breaks. */
export async function playTools(onOpen: (url: string) => void, onAct: (act: ToolAct) => void): Promise<void> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tollgate-demo-tools-')));
  try {
    cpSync(join(ROOT, 'policies/starter'), join(folder, 'policies/starter'), { recursive: true });
    mkdirSync(join(folder, 'policies/tools'));
    writeFileSync(join(folder, 'policies/tools/policy.yaml'), POLICY);
    const [notes, settings] = [join(folder, 'notes.txt'), join(folder, 'settings.env')];
    writeFileSync(notes, 'order A-1009 ships tomorrow\n');
    writeFileSync(settings, `aws_secret_access_key = ${FAKE_SECRET}\n`);
    const file = join(folder, 'tollgate.yaml');
    writeFileSync(file, configFor(folder));
    const gate = await startGateway(loadConfig(file, readFileSync(file, 'utf8'), {}));
    try {
      const url = `http://127.0.0.1:${gate.data.port}/mcp`;
      onOpen(url);
      await act(url, { notes, settings }, onAct);
    } finally {
      await gate.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const SERVERS = 3;
const serversOf = ({ tools }: { readonly tools: readonly { readonly name: string }[] }): readonly string[] => [
  ...new Set(tools.map(({ name }) => name.split('__')[0] ?? '')),
];

/** A session with every server: on a crowded machine one may start too late for a session, which then goes without it. */
async function connectToAll(url: string): Promise<Client> {
  for (let tries = 1; ; tries += 1) {
    const client = new Client({ name: 'demo', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(url)));
    if (tries === 3 || serversOf(await client.listTools()).length === SERVERS) return client;
    await client.close();
  }
}

async function act(
  url: string,
  { notes, settings }: { readonly notes: string; readonly settings: string },
  onAct: (act: ToolAct) => void,
): Promise<void> {
  const client = await connectToAll(url);
  const call = async (name: string, args: Record<string, unknown>): Promise<{ denied: boolean; text: string }> => {
    const { isError, content } = await client.callTool({ name, arguments: args });
    const [first] = content as readonly { readonly text?: string }[];
    return { denied: isError === true, text: (first?.text ?? '').trim() };
  };
  const note = (what: string, decision: ToolAct['decision'], shown: string, kept: boolean): void => {
    if (!kept) throw new Error(`\`${what}\` did not end as ${decision}: ${shown}`);
    onAct({ what, decision, shown });
  };
  try {
    const before = await client.listTools();
    const servers = serversOf(before);
    note('tools/list', 'allow', `${before.tools.length} tools of ${servers.join(', ')}`, servers.length === SERVERS);
    const read = await call('files__read_text_file', { path: notes });
    note('files__read_text_file', 'allow', read.text, !read.denied && read.text.includes('A-1009'));
    const entities = [{ name: 'A-1009', entityType: 'order', observations: ['ships tomorrow'] }];
    const kept = await call('memory__create_entities', { entities });
    note('memory__create_entities', 'allow', 'one entity remembered', !kept.denied);
    const write = await call('files__write_file', { path: notes, content: 'gone' });
    const untouched = readFileSync(notes, 'utf8').includes('A-1009');
    note('files__write_file', 'DENY', write.text, write.denied && untouched);
    const secret = await call('files__read_text_file', { path: settings });
    note('files__read_text_file', 'redact', secret.text, !secret.denied && !secret.text.includes(FAKE_SECRET));
    const weather = await call('weather__forecast', { city: 'Oslo' });
    note('weather__forecast', 'allow', weather.text, !weather.denied);
    const after = await client.listTools();
    const hidden = !after.tools.some(({ name }) => name === 'weather__forecast');
    note('weather__forecast', 'HIDE', 'its description changed after it was approved: quarantined', hidden);
    const again = await call('weather__forecast', { city: 'Oslo' });
    note('weather__forecast', 'DENY', again.text, again.denied);
  } finally {
    await client.close();
  }
}
