import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Finding } from '../../gateway/domain/finding.ts';
import type { Detector } from '../../gateway/ports/detector.ts';

export interface Planted {
  readonly kind: string;
  /** what must be found */
  readonly secret: string;
  /** what must stand around it for that */
  readonly before?: string;
  readonly after?: string;
}

export interface DetectorCase {
  readonly detector: Detector;
  readonly planted: readonly Planted[];
  /** units whose repetition is the hardest to read */
  readonly hard: readonly string[];
}

/** What redaction may leave behind. */
const REPLACEMENTS = [
  '<SECRET_1>',
  '[redacted]',
  '********',
  '',
  '[secret:3f9a1c0d]',
  '<redacted:secret.github_token>',
];

const PROSE = [
  'the ',
  'quick "brown" ',
  'fox\n',
  '{"a": [1, 2]}, ',
  'x=1; ',
  'https://a.test/b?c=d ',
  'naïve – ',
  '日本語',
  '```sh\n',
  '- ',
];

function redact(text: string, findings: readonly Finding[], by: string): string {
  let out = '';
  let at = 0;
  for (const { start, end } of findings) {
    out += text.slice(at, start) + by;
    at = end;
  }
  return out + text.slice(at);
}

/** Reads `text` in pieces as the gate does: what is certain goes out, the rest is carried. Returns the ranges that went out raw, and the findings. */
function stream(
  detector: Detector,
  text: string,
  cuts: readonly number[],
): { raw: [number, number][]; found: Finding[] } {
  const raw: [number, number][] = [];
  const found: Finding[] = [];
  let base = 0;
  const ends = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
  for (const [i, end] of [...ends, text.length].entries()) {
    const held = text.slice(base, end);
    const closed = i === ends.length;
    let certain = closed ? held.length : detector.holdFrom(held);
    const findings = detector.scan(held).filter((finding) => finding.start < certain);
    for (const finding of findings) if (finding.end > certain) certain = Math.min(certain, finding.start);
    let at = 0;
    for (const finding of findings.filter((f) => f.end <= certain)) {
      raw.push([base + at, base + finding.start]);
      found.push({ ...finding, start: base + finding.start, end: base + finding.end });
      at = finding.end;
    }
    raw.push([base + at, base + certain]);
    base += certain;
  }
  return { raw, found };
}

/** Prose with planted secrets, and where they are. */
function textWith(planted: readonly Planted[]) {
  const piece = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...PROSE).map((prose) => ({ prose })) },
    { weight: 1, arbitrary: fc.constantFrom(...planted).map((plant) => ({ plant })) },
  );
  return fc.array(piece, { minLength: 1, maxLength: 12 }).map((pieces) => {
    let text = '';
    const at: { start: number; end: number; kind: string }[] = [];
    for (const item of pieces) {
      if ('prose' in item) text += item.prose;
      else {
        const { kind, secret, before = '', after = '' } = item.plant;
        text += ` ${before}`;
        at.push({ kind, start: text.length, end: text.length + secret.length });
        text += `${secret}${after} `;
      }
    }
    return { text, at };
  });
}

/** The pieces secrets are made of, in any order: hostile text. */
const fragments = (planted: readonly Planted[]) =>
  fc
    .array(
      fc.oneof(
        fc.constantFrom(
          ...planted.flatMap(({ secret, before = '', after = '' }) => [
            before,
            secret.slice(0, 12),
            secret.slice(-9),
            after,
          ]),
        ),
        fc.constantFrom(...PROSE),
        fc.string({ maxLength: 12, unit: 'binary' }),
      ),
      { maxLength: 20 },
    )
    .map((pieces) => pieces.join(''));

const cpu = (work: () => unknown): number => {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 2; i += 1) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, user + system);
  }
  return least;
};

function expectInOrder(detector: Detector, text: string, findings: readonly Finding[]): void {
  let last = 0;
  for (const { kind, start, end, confidence } of findings) {
    expect(detector.kinds).toContain(kind);
    expect(start).toBeGreaterThanOrEqual(last);
    expect(end).toBeGreaterThan(start);
    expect(end).toBeLessThanOrEqual(text.length);
    expect(confidence).toBeGreaterThan(0);
    expect(confidence).toBeLessThanOrEqual(1);
    last = end;
  }
}

function describeFindings({ detector, planted }: DetectorCase): void {
  it('names itself and its kinds', () => {
    expect(detector.name).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(detector.kinds.length).toBeGreaterThan(0);
    expect(new Set(planted.map(({ kind }) => kind)).size).toBeGreaterThan(0);
    for (const { kind } of planted) expect(detector.kinds).toContain(kind);
  });

  it('findings are in order, apart, inside the text, and always the same', () => {
    fc.assert(
      fc.property(fragments(planted), (text) => {
        const findings = detector.scan(text);
        expectInOrder(detector, text, findings);
        expect(detector.scan(text)).toEqual(findings);
      }),
      { numRuns: 400 },
    );
  });

  it('every planted secret is found, whatever stands around it', () => {
    fc.assert(
      fc.property(textWith(planted), ({ text, at }) => {
        const findings = detector.scan(text);
        expectInOrder(detector, text, findings);
        for (const { start, end } of at) expect(findings.some((f) => f.start <= start && f.end >= end)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it.each(REPLACEMENTS)('what was redacted to `%s` is not found again', (by) => {
    fc.assert(
      fc.property(textWith(planted), ({ text }) => {
        const clean = redact(text, detector.scan(text), by);
        expect(detector.scan(clean)).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });
}

function describeStreams({ detector, planted }: DetectorCase): void {
  const cuts = fc.array(fc.nat({ max: 20_000 }), { maxLength: 60 });

  it('a secret split over any pieces is found, and no part of it goes out before', () => {
    fc.assert(
      fc.property(textWith(planted), cuts, ({ text, at }, where) => {
        const { raw, found } = stream(detector, text, where);
        for (const { start, end } of at) {
          expect(raw.filter(([from, to]) => from < end && to > start)).toEqual([]);
          expect(found.some((f) => f.start <= start && f.end >= end)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('split at every place, each secret in turn', () => {
    for (const { secret, before = '', after = '' } of planted) {
      const start = before.length + 4;
      const text = `so, ${before}${secret}${after} and on`;
      const step = Math.max(1, Math.floor(text.length / 80));
      for (let cut = 1; cut < text.length; cut += step) {
        const { raw, found } = stream(detector, text, [cut]);
        expect(raw.filter(([from, to]) => from < start + secret.length && to > start)).toEqual([]);
        expect(found.length).toBe(1);
      }
    }
  });

  it('one character at a time', () => {
    for (const { secret, before = '', after = '' } of planted.filter((plant) => plant.secret.length <= 200)) {
      const text = `so, ${before}${secret}${after} and on`;
      const start = before.length + 4;
      const { raw } = stream(
        detector,
        text,
        Array.from({ length: text.length }, (_, i) => i),
      );
      expect(raw.filter(([from, to]) => from < start + secret.length && to > start)).toEqual([]);
    }
  });

  it('holds no more than it says, and nothing of finished prose', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fragments(planted),
          textWith(planted).map(({ text }) => text),
        ),
        (text) => {
          const hold = detector.holdFrom(text);
          expect(hold).toBeGreaterThanOrEqual(0);
          expect(hold).toBeLessThanOrEqual(text.length);
          expect(text.length - hold).toBeLessThanOrEqual(detector.lookBehind);
        },
      ),
      { numRuns: 300 },
    );
    expect(detector.holdFrom('')).toBe(0);
    const prose = 'Nothing here is a secret, so it flows: as tokens come, they go.\n';
    expect(detector.holdFrom(prose)).toBe(prose.length);
    const run = 'x'.repeat(3 * detector.lookBehind);
    expect(run.length - detector.holdFrom(run)).toBeLessThanOrEqual(detector.lookBehind);
  });
}

/** The behaviour of every detector (gateway/ports/detector.ts). */
export function detectorContract(subject: DetectorCase): void {
  const { detector, planted, hard } = subject;
  describe(`${detector.name}: findings`, () => describeFindings(subject));
  describe(`${detector.name}: streams`, () => describeStreams(subject));
  describe(`${detector.name}: time`, () => {
    const units = [
      ...new Set([...hard, ...planted.flatMap(({ secret, before }) => [before ?? '', secret.slice(0, 9), secret])]),
    ];
    it.each(units.filter((unit) => unit !== '').map((unit) => ({ unit, name: unit.slice(0, 16) })))(
      'is linear in repetitions of `$name`',
      ({ unit }) => {
        const text = (size: number): string => unit.repeat(Math.ceil(size / unit.length));
        const [small, large] = [text(10_000), text(100_000)];
        detector.scan(small);
        const ofSmall = Math.max(
          500,
          cpu(() => detector.scan(small)),
        );
        expect(cpu(() => detector.scan(large)) / ofSmall).toBeLessThan(60);
      },
    );
  });
}
