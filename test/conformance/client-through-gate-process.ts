// Command of the suite's client mode: a gate in front of the harness's server (whose URL is appended), and the suite's own client in front of the gate.
import { spawn } from 'node:child_process';
import { ALLOW_ALL, startGate } from './stage.ts';

const harness = process.argv.at(-1);
if (harness === undefined || !URL.canParse(harness)) throw new Error('the harness appends the URL of its server');

const gate = await startGate({ url: harness }, ALLOW_ALL);
try {
  process.exitCode = await new Promise<number>((done, fail) => {
    const client = spawn(process.execPath, ['--import', 'tsx', 'fixture/everythingClient.ts', gate.url], {
      cwd: import.meta.dirname,
      stdio: 'inherit',
    });
    client.once('error', fail);
    client.once('close', (code) => done(code ?? 1));
  });
} finally {
  await gate.close();
}
