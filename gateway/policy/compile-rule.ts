import type { Point } from '../domain/action.ts';
import type { Problem } from '../domain/source.ts';
import type { Bundle } from './bundle.ts';
import type { RuleText } from './bundle-schema.ts';
import { compileChanges } from './compile-changes.ts';
import type { CompiledRule } from './compiled-rule.ts';
import { type Condition, compileCondition, type Setting, type Shared } from './condition/compile-condition.ts';
import { parseTimestamp } from './condition/time-text.ts';
import { type FindingFilter, findingFilter, type KnownDetector } from './known-detectors.ts';
import type { RuleReport } from './rule-report.ts';
import { compileSelectors } from './selectors.ts';

const NO_TOOL: readonly Point[] = [
  'agent_startup',
  'input',
  'pre_model_call',
  'post_model_call',
  'output',
  'agent_shutdown',
];
const NO_TARGET: readonly Point[] = ['agent_startup', 'agent_shutdown'];

const listOf = <T>(value: T | readonly T[]): readonly T[] => [value].flat() as readonly T[];

/** Checks what a rule means and compiles it. Mistakes go to `problems`; the result is only good where there are none. */
export function compileRule(
  bundle: Bundle,
  place: number,
  index: number,
  layer: CompiledRule['layer'],
  known: readonly KnownDetector[],
  problems: Problem[],
  shared: Shared,
): CompiledRule {
  const rule = bundle.rules[place] as RuleText;
  const path = ['rules', place];
  const report: RuleReport = {
    at: (field, message, where) => problems.push(bundle.file.problem([...path, ...field], message, where)),
    inside: (field, offset, message) =>
      problems.push(bundle.file.problem([...path, ...field], message, { inside: offset })),
  };
  const points = listOf(rule.at);
  checkFields(rule, points, report);
  if (bundle.parent !== undefined) checkTightens(rule, report);
  const setting: Setting = { lists: bundle.lists, points, shared };
  const when = condition(rule, 'when', setting, report);
  const unless = condition(rule, 'unless', setting, report);
  const filter = detect(rule, known, report);
  const { changes, detectors: redacted } = compileChanges(rule.transform ?? [], index, known, report);
  const looks = readsFindings(when) || readsFindings(unless);
  for (const name of looks ? unasked(rule, known, filter) : [])
    report.at(
      ['id'],
      `a condition of this rule looks for \`${name}.…\`, which is asked over the network: name it in \`detect\`, so that it is asked`,
    );
  return {
    index,
    id: `${bundle.name}/${rule.id}`,
    points,
    layer,
    selectors: compileSelectors(rule, bundle.tenants),
    verdict: rule.verdict,
    mode: rule.mode ?? bundle.mode,
    expiresAt: expiry(rule, report),
    when,
    unless,
    needs: looks ? undefined : filter,
    detectors: [...new Set([...(filter?.detectors ?? (looks ? local(known) : [])), ...redacted])].sort(),
    changes,
    labels: rule.labels ?? [],
    reason: rule.reason,
    message: rule.message,
    doc: rule.doc,
    halt: rule.halt,
    approvers: rule.approval?.approvers ?? [],
    whole: rule.watch === 'whole',
  };
}

const local = (known: readonly KnownDetector[]): string[] => known.filter((d) => !d.remote).map((d) => d.name);

/** Remote detectors whose kinds stand in a condition of a rule that does not have them asked. */
function unasked(rule: RuleText, known: readonly KnownDetector[], filter: FindingFilter | undefined): string[] {
  const said = `${rule.when ?? ''}\n${rule.unless ?? ''}`;
  return known
    .filter((d) => d.remote && !filter?.detectors.includes(d.name))
    .map((d) => d.name)
    .filter((name) => said.includes(`"${name}.`) || said.includes(`'${name}.`));
}

const readsFindings = (condition: Condition | undefined): boolean => condition?.reads.has('findings') ?? false;

function condition(
  rule: RuleText,
  field: 'when' | 'unless',
  setting: Setting,
  report: RuleReport,
): Condition | undefined {
  const text = rule[field];
  if (text === undefined) return undefined;
  const compiled = compileCondition(String(text), setting);
  if ('test' in compiled) return compiled;
  for (const { at, message } of compiled) report.inside([field], at, message);
  return undefined;
}

function detect(rule: RuleText, known: readonly KnownDetector[], report: RuleReport): FindingFilter | undefined {
  if (rule.detect === undefined) return undefined;
  const names = listOf(rule.detect);
  let wrong = false;
  for (const [i, name] of names.entries()) {
    const one = findingFilter([name], known);
    if (typeof one !== 'string') continue;
    report.at(typeof rule.detect === 'string' ? ['detect'] : ['detect', i], one);
    wrong = true;
  }
  const filter = wrong ? undefined : findingFilter(names, known);
  return typeof filter === 'string' ? undefined : filter;
}

function checkFields(rule: RuleText, points: readonly Point[], report: RuleReport): void {
  const { verdict } = rule;
  const reserved = ['runtime_error:', 'host_error:'].find((prefix) => rule.reason?.startsWith(prefix));
  if (reserved) report.at(['reason'], `reasons that begin with \`${reserved}\` belong to the gate; choose another`);
  if (verdict === 'transform' && !rule.transform)
    report.at(['verdict'], '`verdict: transform` needs a `transform` that says what to change');
  if (verdict !== 'transform' && rule.transform)
    report.at(['transform'], `\`transform\` needs \`verdict: transform\`, not \`${verdict}\``, { key: true });
  if (verdict !== 'escalate' && rule.approval)
    report.at(['approval'], `\`approval\` needs \`verdict: escalate\`, not \`${verdict}\``, { key: true });
  if (verdict !== 'deny' && rule.halt)
    report.at(['halt'], `\`halt\` needs \`verdict: deny\`, not \`${verdict}\``, { key: true });
  for (const field of ['tools', 'servers'] as const) {
    if (rule[field] !== undefined && points.every((p) => NO_TOOL.includes(p))) {
      report.at([field], `\`${field}\` never fits at \`${points.join('`, `')}\`: only tool calls have a tool`, {
        key: true,
      });
    }
  }
  for (const [i, item] of (rule.transform ?? []).entries()) {
    const elsewhere = points.filter((p) => p !== 'pre_model_call');
    const name = (['cap', 'hide', 'prepend'] as const).find((n) => n in item && !('in' in item));
    if (name !== undefined && elsewhere.length > 0)
      report.at(
        ['transform', i, name],
        `\`${name}\` works at \`pre_model_call\` only, not at \`${elsewhere.join('`, `')}\`${name === 'prepend' ? '; name a place with `in`' : ''}`,
        { key: true },
      );
  }
  checkRehydration(rule, points, report);
  const bare = points.filter((p) => NO_TARGET.includes(p));
  if (rule.transform && bare.length > 0)
    report.at(['transform'], `there is nothing to transform at \`${bare.join('`, `')}\``, { key: true });
}

/** Values are put back for named tools only, and where a call is proposed: nowhere else is it known where they go. */
function checkRehydration(rule: RuleText, points: readonly Point[], report: RuleReport): void {
  const place = (rule.transform ?? []).findIndex((item) => 'rehydrate' in item);
  if (place === -1) return;
  const path = ['transform', place, 'rehydrate'];
  const elsewhere = points.filter((p) => p !== 'pre_tool_call');
  if (elsewhere.length > 0)
    report.at(path, `\`rehydrate\` works at \`pre_tool_call\` only, not at \`${elsewhere.join('`, `')}\``, {
      key: true,
    });
  else if (rule.tools === undefined || listOf(rule.tools).includes('*'))
    report.at(path, '`rehydrate` needs `tools` that names which tools get the values, not all of them', { key: true });
}

/** New values could undo what the parent asks for: a bundle below another one only takes away. */
function checkTightens(rule: RuleText, report: RuleReport): void {
  for (const [i, item] of (rule.transform ?? []).entries()) {
    const name = (['set', 'replace', 'prepend', 'rehydrate'] as const).find((n) => n in item);
    if (name)
      report.at(
        ['transform', i, name],
        `a bundle with a \`parent\` only takes away: \`${name}\` belongs to the parent; use \`remove\`, \`redact\`, \`truncate\`, \`cap\`, \`allow_only\` or \`hide\``,
        { key: true },
      );
  }
}

const DAY = /^\d{4}-\d\d-\d\d$/;

/** A date alone means the end of that day, UTC. */
function expiry(rule: RuleText, report: RuleReport): number {
  if (rule.expires === undefined) return Number.POSITIVE_INFINITY;
  const isDay = DAY.test(rule.expires);
  try {
    return parseTimestamp(isDay ? `${rule.expires}T00:00:00Z` : rule.expires).ms + (isDay ? 86_400_000 : 0);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    report.at(['expires'], `\`${rule.expires}\` is no date; write it as \`2027-01-31\` or \`2027-01-31T09:00:00Z\``);
    return Number.POSITIVE_INFINITY;
  }
}
