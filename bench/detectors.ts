// Precision, recall and speed of the detectors on bench/corpus: `npm run bench:detectors [-- --misses] [-- <detector>]`.
// Last line: JSON {"secrets":{"precision","recall",…},…,"mb_per_s":{…}}.
import { detectors } from '../gateway/detectors/_all.ts';
import type { Finding } from '../gateway/domain/finding.ts';
import type { Detector } from '../gateway/ports/detector.ts';
import { type Label, type LabelledText, loadCorpus } from './corpus/load-corpus.ts';

interface Tally {
  labels: number;
  hit: number;
  findings: number;
  right: number;
}

const MEASURED = ['secrets', 'pii', 'injection', 'shell', 'url'];
/** The text is cut out there, so the whole value has to be covered. */
const REDACTED = new Set(['secrets', 'pii']);

const empty = (): Tally => ({ labels: 0, hit: 0, findings: 0, right: 0 });
const percent = (part: number, whole: number): number =>
  whole === 0 ? 1 : Math.round((part / whole) * 10_000) / 10_000;
const precision = ({ right, findings }: Tally): number => percent(right, findings);
const recall = ({ hit, labels }: Tally): number => percent(hit, labels);

/** True where the finding is what the label asks for: the whole value where it is to be cut out, else any part of it. */
function meets(finding: Finding, label: Label, whole: boolean): boolean {
  if (!whole) return finding.start < label.end && finding.end > label.start;
  const slack = 8 + (label.end - label.start);
  return (
    finding.start <= label.start &&
    finding.end >= label.end &&
    finding.end - finding.start <= label.end - label.start + slack
  );
}

/** One detector's tallies over some texts: all its kinds together under '', then each alone, where the kind has to be right too. */
function judge(detector: Detector, texts: readonly LabelledText[], misses: string[]): Map<string, Tally> {
  const tallies = new Map<string, Tally>([['', empty()]]);
  const all = tallies.get('') ?? empty();
  const of = (kind: string): Tally => {
    const tally = tallies.get(kind) ?? empty();
    tallies.set(kind, tally);
    return tally;
  };
  const whole = REDACTED.has(detector.name);
  for (const { id, text, labels } of texts) {
    const findings = detector.scan(text);
    for (const label of labels) {
      const hit = findings.some((finding) => meets(finding, label, whole));
      const named = findings.some((finding) => meets(finding, label, whole) && label.kinds.includes(finding.kind));
      all.labels += 1;
      all.hit += hit ? 1 : 0;
      const tally = of(label.kinds[0] ?? '');
      tally.labels += 1;
      tally.hit += named ? 1 : 0;
      if (!named)
        misses.push(
          `${hit ? 'kind' : 'miss'} ${id} ${label.kinds.join()} «${text.slice(label.start, label.end)}» ${findings.map((f) => f.kind).join()}`,
        );
    }
    for (const finding of findings) {
      const right = labels.some((label) => meets(finding, label, whole));
      const named = labels.some((label) => meets(finding, label, whole) && label.kinds.includes(finding.kind));
      all.findings += 1;
      all.right += right ? 1 : 0;
      const tally = of(finding.kind);
      tally.findings += 1;
      tally.right += named ? 1 : 0;
      if (!right)
        misses.push(
          `false ${id} ${finding.kind} «${text.slice(finding.start, finding.end)}» in ${JSON.stringify(text.slice(0, 140))}`,
        );
    }
  }
  return tallies;
}

function textOf(texts: readonly LabelledText[], size: number): string {
  const once = texts.map(({ text }) => text).join('\n');
  return once.repeat(Math.ceil(size / once.length)).slice(0, size);
}

/** Best of a few, in milliseconds of this process's CPU: the machine may be busy. */
function cpuMs(work: () => unknown): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5; i += 1) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1_000);
  }
  return least;
}

/** MB of the text per second of CPU, and how the time of 1 MB compares with ten times that of 100 KB (1: linear). */
function speed(detector: Detector, texts: readonly LabelledText[]): { mbPerS: number; growth: number } {
  const [small, large] = [textOf(texts, 100_000), textOf(texts, 1_000_000)];
  detector.scan(small);
  const [ofSmall, ofLarge] = [cpuMs(() => detector.scan(small)), cpuMs(() => detector.scan(large))];
  return { mbPerS: Math.round(10_000 / ofLarge) / 10, growth: Math.round((ofLarge / ofSmall) * 10) / 100 };
}

const row = (...cells: readonly (string | number)[]): void =>
  console.log(cells.map((cell, i) => (i === 0 ? String(cell).padEnd(30) : String(cell).padStart(10))).join(''));

function printKinds(tallies: ReadonlyMap<string, Tally>): void {
  for (const [kind, tally] of [...tallies].sort(([a], [b]) => a.localeCompare(b))) {
    if (kind !== '') row(`  ${kind}`, tally.labels, tally.findings, precision(tally), recall(tally));
  }
}

function main(args: readonly string[]): void {
  const common = loadCorpus('common');
  const wanted = args.filter((arg) => !arg.startsWith('--'));
  const summary: Record<string, unknown> = {};
  const speeds: Record<string, number> = {};
  row('detector / kind', 'labels', 'findings', 'precision', 'recall');
  for (const name of MEASURED.filter((measured) => wanted.length === 0 || wanted.includes(measured))) {
    const detector = detectors.find((known) => known.name === name);
    if (detector === undefined)
      throw new Error(`detector \`${name}\` is not in gateway/detectors/_all.ts; run \`npm run gen\``);
    const texts = [...loadCorpus(name), ...common];
    const misses: string[] = [];
    const seen = judge(
      detector,
      texts.filter((text) => !text.heldOut),
      misses,
    );
    const heldOut = judge(
      detector,
      texts.filter((text) => text.heldOut),
      [],
    );
    const all = judge(detector, texts, []);
    const total = (tallies: ReadonlyMap<string, Tally>): Tally => tallies.get('') ?? empty();
    for (const [label, tallies] of [
      [`${name} (all)`, all],
      [`${name} (seen)`, seen],
      [`${name} (held out)`, heldOut],
    ] as const) {
      row(label, total(tallies).labels, total(tallies).findings, precision(total(tallies)), recall(total(tallies)));
    }
    printKinds(all);
    if (args.includes('--misses')) for (const miss of misses) console.log(`    ${miss}`);
    const { mbPerS, growth } = speed(detector, texts);
    row(`  speed`, `${mbPerS} MB/s`, `growth ${growth}`);
    speeds[name] = mbPerS;
    const figures = (tally: Tally) => ({ precision: precision(tally), recall: recall(tally) });
    summary[name] = { ...figures(total(all)), held_out: figures(total(heldOut)), growth };
  }
  console.log(JSON.stringify({ ...summary, mb_per_s: speeds }));
}

main(process.argv.slice(2));
