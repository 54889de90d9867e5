// Appends steadily and ships to the URL until it is killed. Prints each acknowledged line's number.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startShipper } from '../../../gateway/audit/shipper.ts';
import { http } from '../../../gateway/audit/sinks/http.ts';
import { openSpool } from '../../../gateway/audit/spool.ts';
import { event } from './entries.ts';
import { sayLine } from './say-line.ts';

const [folder, url] = process.argv.slice(2) as [string, string];
const silent = { info() {}, warn() {}, error() {} };
const metrics = { shipped() {}, shipLag() {}, shipFailure() {} };
const spool = await openSpool(join(folder, 'spool'), { segmentBytes: 50_000 });
const sink = http.open({ type: 'http', url }, { stdout: process.stdout });
const options = { batchLines: 20, lingerMs: 1, backoffMs: 100 };
await startShipper({ spool, sink, cursorFile: join(folder, 'cursor.json'), metrics, log: silent, ...options });
sayLine('ready');
for (;;) {
  const told = await Promise.all(Array.from({ length: 10 }, (_, i) => spool.append(event(`e${i}`))));
  for (const { seq } of told) sayLine(`${seq}`);
  await sleep(2);
}
