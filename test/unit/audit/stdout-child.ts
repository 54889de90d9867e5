// Sends one batch to standard output for each line on standard input; says on standard error how it went, and that the loop turns.
import { createInterface } from 'node:readline';
import { stdout } from '../../../gateway/audit/sinks/stdout.ts';
import { event } from './entries.ts';

const sink = stdout.open({ type: 'stdout' }, { stdout: process.stdout });
setInterval(() => process.stderr.write('tick\n'), 20).unref();
for await (const size of createInterface({ input: process.stdin })) {
  const text = 'x'.repeat(Number(size));
  const lines = [{ seq: 1, hash: '', entry: event('e'), text }];
  await sink.send(lines, new AbortController().signal).then(
    () => process.stderr.write('taken\n'),
    (error: NodeJS.ErrnoException) => process.stderr.write(`refused ${error.code}\n`),
  );
}
await sink.close();
process.stderr.write('ended\n');
