import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { loadConfig } from '../../gateway/config/load.ts';
import { type Running, startGateway } from '../../gateway/main.ts';
import { createLog } from '../../gateway/telemetry/log.ts';

const REPO = resolve(import.meta.dirname, '../..');
const HOME = import.meta.dirname;
const START_MS = 60_000;

/** Lets everything pass and looks at nothing: bytes pass untouched. */
export const ALLOW_ALL = 'policy: tollgate/v1\nname: open\ndefault: allow\nrules: []\n';

const reader = (kind: string): string => `  - id: read-${kind}
    at: [input, pre_tool_call, post_tool_call, pre_model_call, post_model_call, output]
    detect: ${kind}
    verdict: warn
    reason: found
    message: the detector ${kind} found something
`;

/** Lets everything pass, but only after every detector has read it; a secret would be redacted, so results are held and read again. */
export const READS_ALL = `policy: tollgate/v1
name: reader
default: allow
rules:
${['pii', 'injection', 'shell', 'url'].map(reader).join('')}  - id: hide-secrets
    at: [post_tool_call, pre_model_call, post_model_call, output]
    detect: secrets
    verdict: transform
    transform: [{ redact: secret.*, as: token }]
`;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/** The suite's own fixture, as a process; `url` is where it serves. */
export async function startFixture(): Promise<{ readonly url: string; close(): Promise<void> }> {
  const port = await freePort();
  const child = spawn(process.execPath, ['--import', 'tsx', 'fixture/everythingServer.ts'], {
    cwd: HOME,
    env: { PATH: process.env['PATH'], PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  // it tells of every bad request the suite sends; only what it said before it ended is of use
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-2_000);
  });
  const url = `http://localhost:${port}/mcp`;
  const until = Date.now() + START_MS;
  while (!(await answers(url))) {
    if (child.exitCode !== null) throw new Error(`the fixture ended with ${child.exitCode} before it served:\n${said}`);
    if (Date.now() > until) throw new Error('the fixture did not serve in time');
    await wait(100);
  }
  return { url, close: () => ended(child) };
}

const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    async (reply) => {
      await reply.body?.cancel();
      return true;
    },
    () => false,
  );

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((done) => {
    child.once('exit', () => done());
    child.kill('SIGKILL');
  });
}

/** A gate in this process in front of one server; `url` is the server's bare-named endpoint. */
export async function startGate(
  server: Readonly<Record<string, unknown>>,
  policy: string,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-conformance-'));
  const bundle = join(folder, 'policies', 'conformance');
  mkdirSync(bundle, { recursive: true });
  writeFileSync(join(bundle, 'policy.yaml'), policy);
  const text = JSON.stringify({
    listen: { port: 0 },
    office: { port: 0 },
    mcp: { servers: { everything: server }, pins: { mode: 'first-use' } },
    state: './data',
    policies: './policies',
    pricing: join(REPO, 'pricing'),
    limits: { shutdown_s: 1 },
  });
  const file = join(folder, 'tollgate.yaml');
  writeFileSync(file, text);
  let gate: Running;
  try {
    gate = await startGateway(loadConfig(file, text, {}), { log: createLog({ level: 'silent' }) });
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    url: `http://localhost:${gate.data.port}/mcp/everything`,
    close: async () => {
      await gate.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
