// Appends as fast as it can until it is killed; prints each acknowledged line's number, hash and name.
import { openSpool } from '../../../gateway/audit/spool.ts';
import type { Entry } from '../../../gateway/domain/receipt.ts';
import { begin, event, seal } from './entries.ts';
import { sayLine } from './say-line.ts';

const [folder, segmentBytes, round] = process.argv.slice(2) as [string, string, string];
const spool = await openSpool(folder, { segmentBytes: Number(segmentBytes) });
sayLine('ready');

async function append(entry: Entry): Promise<void> {
  const line = await spool.append(entry);
  sayLine(`${line.seq} ${line.hash} ${entry.kind === 'event' ? entry.name : `${entry.kind}:${entry.id}`}`);
}

/** One of many callers: begins calls, and seals most of them. */
async function caller(n: number): Promise<never> {
  for (let i = 0; ; i += 1) {
    const id = Number(round) * 10_000_000 + n * 100_000 + i;
    await append(begin(id));
    await append(event(`e${id}`, { pad: 'x'.repeat((i * 37) % 3000) }));
    if (i % 10 !== 3) await append(seal(id));
  }
}

await Promise.all(Array.from({ length: 30 }, (_, n) => caller(n)));
