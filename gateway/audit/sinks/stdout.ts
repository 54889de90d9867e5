import type { Writable } from 'node:stream';
import { z } from 'zod';
import type { AuditSink, SinkKind } from '../../ports/audit-sink.ts';
import { named, sinkOptions } from './_options.ts';

const Options = z.strictObject(named('stdout'));

/** JSON lines on standard output, each exactly as it stands in the record. A reader that does not keep up slows shipping, nothing else. */
export const stdout: SinkKind = {
  type: 'stdout',
  open(options, env): AuditSink {
    const { name } = sinkOptions('stdout', Options, options);
    // A closed pipe is reported through the write's own callback as well; without a listener it would end the process.
    const onError = () => {};
    env.stdout.on('error', onError);
    return {
      name,
      async send(lines, signal) {
        signal.throwIfAborted();
        await write(env.stdout, lines.map((line) => `${line.text}\n`).join(''));
      },
      async close() {
        env.stdout.off('error', onError);
      },
    };
  },
};

/** Resolves once the operating system has the text. Goes on when the sender gives up: a second write beside it would mix lines. */
function write(out: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    out.write(text, (error) => (error ? reject(error) : resolve()));
  });
}
