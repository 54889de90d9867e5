import { openStdioServer } from '../../gateway/upstream/stdio/open-stdio.ts';

// Opens a session with the stdio server given as arguments, and ends without closing anything.

const quiet = (): void => undefined;
const server = openStdioServer({
  name: 'held',
  command: {
    command: process.argv.slice(2),
    env: { STUBBORN: '1', PID_FILE: process.env['PID_FILE'] ?? '' },
    cwd: '.',
  },
  era: 'legacy',
  share: 'session',
  idleMs: 60_000,
  messageBytes: 100_000,
  maxProcesses: 1,
  maxPerPrincipal: 1,
  probeMs: 1_000,
  patienceMs: 1_000,
  log: { info: quiet, warn: quiet, error: quiet },
  incident: quiet,
  redact: (line) => line,
  ticks: () => performance.now(),
});
const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } };
const answer = await server.exchange({
  method: 'POST',
  headers: {},
  body: Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params })),
  caller: { principalId: 'ada' },
  signal: new AbortController().signal,
});
process.exit(answer.status === 200 ? 42 : 1);
