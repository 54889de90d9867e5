import { styleText } from 'node:util';
import { type DestinationStream, destination, pino, stdTimeFunctions } from 'pino';
import type { Log } from '../ports/log.ts';
import { harmless } from './harmless.ts';

export interface LogOptions {
  readonly level: 'info' | 'warn' | 'error' | 'silent';
  /** lines for people; else JSON lines */
  readonly pretty?: boolean | undefined;
  /** where the lines go; undefined: stderr */
  readonly to?: DestinationStream | undefined;
}

const COLOURS = { info: 'green', warn: 'yellow', error: 'red' } as const;

const isLevel = (level: unknown): level is keyof typeof COLOURS => typeof level === 'string' && level in COLOURS;

/** One JSON line as `12:00:00.000 warn message key=value`. */
function prettyLine(line: string): string {
  const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const clock = String(time).slice(11, 23);
  const mark = isLevel(level) ? styleText(COLOURS[level], level, { stream: process.stderr }) : String(level);
  const rest = Object.entries(fields).map(([name, value]) => {
    return ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`;
  });
  return `${clock} ${mark} ${String(msg)}${rest.join('')}\n`;
}

/** The gate's log: JSON lines on stderr with `time`, `level`, `msg`. Credentials are masked at any depth, whatever the caller passes. */
export function createLog(options: LogOptions): Log {
  const plain = options.to ?? destination({ dest: 2, sync: false, minLength: 0 });
  const to: DestinationStream = options.pretty === true ? { write: (line) => plain.write(prettyLine(line)) } : plain;
  const log = pino(
    {
      level: options.level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      serializers: { err: (error: unknown) => error },
    },
    to,
  );
  return {
    info: (fields, message) => log.info(harmless(fields), message),
    warn: (fields, message) => log.warn(harmless(fields), message),
    error: (fields, message) => log.error(harmless(fields), message),
  };
}
