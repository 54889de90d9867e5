import { detectors } from '../../../gateway/detectors/_all.ts';
import type { Detector } from '../../../gateway/ports/detector.ts';
import type { Target } from '../target.ts';
import { threadTime } from '../thread-time.ts';

/** Cuts an input into what stands before, what is said again and again, and what stands behind. */
function grown(input: string, length: number): string {
  const [a = '', b, c = ''] = input.split('\u0001');
  const [before, unit] = b === undefined ? ['', a] : [a, b];
  return unit === '' ? input : before + unit.repeat(Math.ceil(length / unit.length)).slice(0, length) + c;
}

function fastest(detector: Detector, text: string, times: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < times; i += 1) {
    const start = threadTime();
    detector.scan(text);
    best = Math.min(best, threadTime() - start);
  }
  return best;
}

/** Four times the text takes four times as long; sixteen times is what a quadratic detector takes. */
const MOST_GROWTH = 9;
const SUSPICIOUS_MS = 20;

/** Looks closer: what grows faster than the text does so from 16,000 characters to 64,000 and from there to 256,000. */
function mustGrowSlowly(detector: Detector, input: string): void {
  const times = [16_000, 64_000, 256_000].map((length) => fastest(detector, grown(input, length), 4));
  const [few, more, most] = times as [number, number, number];
  if (more > MOST_GROWTH * few && most > MOST_GROWTH * more)
    throw new Error(
      `\`${detector.name}\` is not linear: ${times.map((ms) => ms.toFixed(1)).join(', ')} ms as the text grows by 4`,
    );
}

/** Milliseconds per megabyte; throws where time grows faster than the text. */
function speed(detector: Detector, input: string): number {
  const short = grown(input, 4_000);
  const long = grown(input, 16_000);
  const took = fastest(detector, long, 1);
  // A first run is slow because it is the first: it is only a reason to look again.
  if (took > SUSPICIOUS_MS && fastest(detector, long, 3) > MOST_GROWTH * fastest(detector, short, 3))
    mustGrowSlowly(detector, input);
  return (took * 1_048_576) / long.length;
}

function mustBeInOrder(detector: Detector, text: string): void {
  let end = 0;
  for (const finding of detector.scan(text)) {
    const { kind, start } = finding;
    if (!detector.kinds.includes(kind)) throw new Error(`\`${detector.name}\` finds a kind it does not name: ${kind}`);
    if (start < end || finding.end <= start || finding.end > text.length)
      throw new Error(
        `\`${detector.name}\` finds ${kind} at ${start} to ${finding.end} behind ${end} in ${text.length}`,
      );
    end = finding.end;
  }
  const hold = detector.holdFrom(text);
  if (!(hold <= text.length && hold >= Math.max(0, text.length - detector.lookBehind)))
    throw new Error(
      `\`${detector.name}\` holds from ${hold} in ${text.length}, its look-behind is ${detector.lookBehind}`,
    );
}

/** What the text up to here is certain of stays found when more text comes. */
function mustStayFound(detector: Detector, text: string): void {
  const cut = text.length >> 1;
  const first = text.slice(0, cut);
  const hold = detector.holdFrom(first);
  const whole = detector.scan(text);
  for (const finding of detector.scan(first)) {
    if (finding.end > hold) continue;
    if (!whole.some((f) => f.start < finding.end && finding.start < f.end))
      throw new Error(
        `\`${detector.name}\`: ${finding.kind} at ${finding.start} was certain at ${cut}, and is gone in the whole`,
      );
  }
}

/** A text that detectors read; `\u0001` cuts it into before, again and again, behind. */
export const target: Target = {
  words: [
    'AKIA',
    'ghp_',
    'eyJhbGciOi',
    '-----BEGIN ',
    'PRIVATE KEY-----',
    '@',
    '.example',
    'password=',
    'postgres://u:p@h/',
    'https://',
    '169.254.169.254',
    'xn--',
    'rm -rf ',
    '$(',
    '`',
    ' | sh',
    'DE89 3704 0044 0532 0130 00',
    '4111 1111 1111 1111',
    '+49 30 ',
    '<!--',
    'ignore previous instructions',
    '\u200b',
    '\u0001',
    '%20',
    'base64 -d',
    '&&',
    ';',
    '\\x41',
    '127.0.0.1',
    '::1',
  ],
  most: 600,
  boundMs: 4_000,
  run(input) {
    let slowest = 0;
    for (const detector of detectors) {
      mustBeInOrder(detector, input);
      mustStayFound(detector, input);
      slowest = Math.max(slowest, speed(detector, input));
    }
    return slowest;
  },
};
