import { Instant, isInstant, isSpan, Span } from './cel-value.ts';

const RFC3339 = /^\d{4}-(\d\d)-(\d\d)T\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d)$/;

/** Reads an RFC 3339 time, to the millisecond; finer is refused. Throws a SyntaxError that shows the form. */
export function parseTimestamp(text: string): Instant {
  const parts = RFC3339.exec(text);
  const ms = parts ? Date.parse(text) : Number.NaN;
  const date = parts && Date.UTC(Number(text.slice(0, 4)), Number(parts[1]) - 1, Number(parts[2]));
  const exists = parts && date !== null && new Date(date).getUTCDate() === Number(parts[2]);
  if (!exists || Number.isNaN(ms) || !isInstant(ms))
    throw new SyntaxError(`\`${text}\` is no time; write it as \`2027-01-31T09:00:00Z\``);
  return new Instant(ms);
}

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
const DURATION = /^([+-]?)((?:(?:\d+(?:\.\d*)?|\.\d+)(?:h|ms|m|s))+)$/;

/** Reads a length of time as Go writes it: `1h30m`, `90s`, `1.5h`. Throws a SyntaxError that shows the form. */
export function parseDuration(text: string): Span {
  const whole = text === '0' ? ['', '', '0s'] : DURATION.exec(text);
  if (!whole) throw new SyntaxError(`\`${text}\` is no duration; write it as \`90s\`, \`15m\` or \`1h30m\``);
  let ms = 0;
  for (const [, amount, unit] of (whole[2] ?? '').matchAll(/(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s)/g)) {
    ms += Number(amount) * (UNITS[unit ?? ''] ?? 0);
  }
  if (!isSpan(ms)) throw new SyntaxError(`\`${text}\` is longer than 292 years`);
  return new Span(whole[1] === '-' ? -ms : ms);
}
