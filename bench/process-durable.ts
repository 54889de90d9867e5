// About the least that a gateway which loses nothing could do: bare, and a line on the disk before each call is carried and one after its
// end (ADR 10). No chain, no policy, no price, no budget. `argv`: upstream, folder.
import { constants, fdatasync, openSync, write } from 'node:fs';
import { join } from 'node:path';
import { startPassThrough } from './pass-through.ts';

const [, , upstream, folder] = process.argv as [string, string, string, string];
const { O_WRONLY, O_CREAT, O_APPEND, O_DSYNC } = constants;
const writesThrough = process.platform === 'linux';
const file = openSync(join(folder, 'durable'), O_WRONLY | O_CREAT | O_APPEND | (writesThrough ? O_DSYNC : 0), 0o600);

type Waiting = (error: Error | null) => void;
let lines = '';
let waiting: Waiting[] = [];
let busy = false;

/** Lines that come while a write is under way share the next one. */
function flush(): void {
  if (busy || waiting.length === 0) return;
  busy = true;
  const [text, theirs] = [lines, waiting];
  [lines, waiting] = ['', []];
  const done: Waiting = (error) => {
    busy = false;
    for (const tell of theirs) tell(error);
    flush();
  };
  write(file, text, null, 'utf8', (error) => {
    if (error || writesThrough) done(error);
    else fdatasync(file, done);
  });
}

function keep(kind: string, text: unknown): Promise<void> {
  lines += `${JSON.stringify({ kind, at: Date.now(), text })}\n`;
  return new Promise((resolve, reject) => {
    waiting.push((error) => (error ? reject(error) : resolve()));
    flush();
  });
}

startPassThrough(upstream, {
  before: (body) => keep('begin', body),
  after: (answer) => {
    keep('seal', answer).catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  },
});
