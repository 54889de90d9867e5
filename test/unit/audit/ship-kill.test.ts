import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { verifyChain } from '../../../gateway/audit/chain.ts';
import { startShipper } from '../../../gateway/audit/shipper.ts';
import { http } from '../../../gateway/audit/sinks/http.ts';
import { openSpool } from '../../../gateway/audit/spool.ts';
import { folderOfTest, memoryLog } from './records.ts';

const script = fileURLToPath(import.meta.resolve('./ship-child.ts'));

it('a receiver that drops what it has gets the whole record, though the gate is killed over and over and one answer in five is an error', async () => {
  const folder = await folderOfTest();
  const received: string[] = [];
  let repeats = 0;
  let posts = 0;
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    posts += 1;
    // Taken, but the sender is told otherwise: it has to send again.
    const told = posts % 5 === 0 ? 503 : 200;
    const first = Number(request.headers['x-tollgate-first-seq']);
    const lines = text.split('\n').slice(0, -1);
    expect(first).toBeLessThanOrEqual(received.length + 1);
    expect(Number(request.headers['x-tollgate-last-seq'])).toBe(first + lines.length - 1);
    for (const [i, line] of lines.entries()) {
      const at = first + i - 1;
      if (at < received.length) {
        repeats += 1;
        expect(line).toBe(received[at]);
      } else received.push(line);
    }
    response.writeHead(told).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  let acked = 0;
  for (let round = 0; round < 8; round += 1) {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, folder, url], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let errors = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    await expect.poll(() => output + errors, { timeout: 10_000, interval: 5 }).not.toBe('');
    await sleep(20 + Math.random() * 150);
    child.kill('SIGKILL');
    await once(child, 'close');
    expect(errors).toBe('');
    acked = Math.max(acked, ...output.split('\n').slice(1, -1).map(Number));
    const cursor = JSON.parse(await readFile(join(folder, 'cursor.json'), 'utf8').catch(() => '{"seq":0}')) as {
      seq: number;
    };
    expect(cursor.seq).toBeLessThanOrEqual(received.length);
  }
  const spool = await openSpool(join(folder, 'spool'), { segmentBytes: 50_000 });
  const sink = http.open({ type: 'http', url }, { stdout: process.stdout });
  const metrics = { shipped() {}, shipLag() {}, shipFailure() {} };
  const shipper = await startShipper({
    spool,
    sink,
    cursorFile: join(folder, 'cursor.json'),
    metrics,
    log: memoryLog(),
    backoffMs: 100,
  });
  await expect.poll(() => shipper.lag()).toBe(0);
  await shipper.stop();
  await spool.close();
  expect(acked).toBeGreaterThan(100);
  expect(spool.head().seq).toBeGreaterThanOrEqual(acked);
  expect(received).toHaveLength(spool.head().seq);
  expect(repeats).toBeGreaterThan(0);
  // What was received is a record of its own that verifies.
  const copy = join(folder, 'copy');
  await mkdir(copy);
  await writeFile(join(copy, 'spool-000000000001.jsonl'), received.map((line) => `${line}\n`).join(''));
  expect(await verifyChain(copy, { head: spool.head() })).toMatchObject({ ok: true, lines: received.length });
}, 60_000);
