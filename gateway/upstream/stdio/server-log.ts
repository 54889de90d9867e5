import type { Log } from '../../ports/log.ts';
import { LineSplitter } from './line-splitter.ts';

const LINE_BYTES = 4 * 1024;
const BURST = 100;
const PER_SECOND = 10;
/** Shorter values are no secrets, and replacing them would garble every line. */
const LEAST_SECRET = 6;

export interface ServerLogOptions {
  readonly log: Log;
  readonly server: string;
  /** values that were put into the process's environment: they never come out here */
  readonly secrets: readonly string[];
  /** takes further secrets out of a line */
  readonly redact: (line: string) => string;
  readonly ticks: () => number;
}

/** What a server writes to stderr, as log lines: bounded in length and rate, redacted. Takes bytes as they come. */
export function serverLog(options: ServerLogOptions): { push(chunk: Uint8Array): void; end(): void } {
  const { log, server, ticks } = options;
  const secrets = options.secrets.filter((s) => s.length >= LEAST_SECRET).sort((a, b) => b.length - a.length);
  let tokens = BURST;
  let filled = ticks();
  let left = 0;
  const admit = (): boolean => {
    const now = ticks();
    tokens = Math.min(BURST, tokens + ((now - filled) / 1000) * PER_SECOND);
    filled = now;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
  const say = (line: string): void => {
    if (line === '') return;
    if (!admit()) {
      left += 1;
      return;
    }
    const more = left > 0 ? { left_out: left } : {};
    left = 0;
    log.info({ server, stderr: line, ...more }, 'an MCP server wrote to its log');
  };
  const clean = (text: string): string => {
    let line = text;
    for (const secret of secrets) line = line.replaceAll(secret, '[secret]');
    // control characters would let a server write over lines of ours in a terminal
    return options
      .redact(line)
      .replace(/\p{Cc}/gu, ' ')
      .trim();
  };
  const lines = new LineSplitter(LINE_BYTES, {
    line: (bytes) => say(clean(Buffer.from(bytes).toString('utf8'))),
    tooLong: () => say(`[a line of more than ${LINE_BYTES} bytes]`),
  });
  return {
    push: (chunk) => lines.push(chunk),
    end() {
      lines.end();
      if (left > 0) log.info({ server, left_out: left }, 'an MCP server wrote more than is logged');
      left = 0;
    },
  };
}
