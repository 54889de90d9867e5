import { usdToNano } from '../../domain/money.ts';
import { type Nano, nano } from '../../domain/scalars.ts';
import { countText, usdText } from './amounts.ts';
import type { Call, Run } from './call.ts';
import { type Headline, headlineOf } from './headline.ts';
import { cell, clip, harmless, paint } from './paint.ts';

export interface TableOptions {
  readonly width: number;
  readonly colour: boolean;
}

/** All attempts at one step. */
interface Row {
  readonly step: number;
  readonly calls: readonly Call[];
  readonly cost: Nano;
}

/** Widths of the columns; `middle` is what is left for tools, verdict and rule. Narrow tables have no time and no bundle names. */
interface Sizes {
  readonly wide: boolean;
  readonly model: number;
  readonly tokens: number;
  readonly middle: number;
}

const LEAST = 60;
const WIDE = 110;
const TIME = 8;
const STEP = 4;
const COST = 9;
const SHARE = 5;
const MARK = 2;

function sizesFor(width: number): Sizes {
  const line = Math.max(LEAST, width);
  const wide = line >= WIDE;
  const sizes = wide ? { wide, model: 20, tokens: 13 } : { wide, model: 12, tokens: 11 };
  const fixed = (wide ? TIME + 1 : 0) + STEP + sizes.model + sizes.tokens + COST + SHARE + MARK + 5;
  return { ...sizes, middle: line - fixed };
}

/**
 * A run step by step: model, tools proposed, verdict, tokens, cost and share of the run; the dearest step is marked and the last
 * line says what it cost. Several attempts at one step are one row.
 */
export function runTable(run: Run, { width, colour }: TableOptions): string {
  const rows = rowsOf(run.steps);
  const total = usdToNano(run.cost_usd);
  const dearest = rows.reduce<Row | undefined>((most, row) => (row.cost > (most?.cost ?? 0n) ? row : most), undefined);
  const sizes = sizesFor(width);
  const body = rows.map((row) => {
    const text = rowText(row, total, sizes, colour);
    return row === dearest ? `${text} ${paint('◀', 'bad', colour)}` : text;
  });
  const titles = paint(titlesText(sizes), 'dim', colour);
  return [
    ...headLines(run, total, Math.max(LEAST, width), colour),
    titles,
    ...body,
    ...lastLine(dearest, total, colour),
    ...causeLines(run, total, Math.max(LEAST, width), colour),
  ].join('\n');
}

function titlesText({ wide, model, middle, tokens }: Sizes): string {
  return [
    ...(wide ? [cell('time', TIME)] : []),
    cell('step', STEP, true),
    cell('model', model),
    cell('tools, verdict, rule', middle),
    cell('in→out', tokens, true),
    cell('cost', COST, true),
    cell('share', SHARE, true),
  ].join(' ');
}

function headLines(run: Run, total: Nano, width: number, colour: boolean): string[] {
  const who = [`agent ${run.agent}`, ...(run.human === null ? [] : [`human ${run.human}`]), `tenant ${run.tenant}`];
  const calls = run.steps.length === 1 ? '1 call' : `${run.steps.length} calls`;
  const text = [`run ${run.id}`, ...who, calls, usdText(total)].map(harmless).join(' · ');
  return [paint(clip(text, width), 'strong', colour)];
}

function lastLine(dearest: Row | undefined, total: Nano, colour: boolean): string[] {
  if (!dearest || total === 0n) return [];
  const text = `step ${dearest.step} cost ${usdText(dearest.cost)} of the ${usdText(total)} (${shareText(dearest.cost, total)})`;
  return [paint(text, 'strong', colour)];
}

const CAUSES_SHOWN = 5;

/** Which step caused what: a turn's price is not its own, because each turn reads again what came before it. */
function causeLines({ caused, steps }: Run, total: Nano, width: number, colour: boolean): string[] {
  if (total === 0n || steps.length < 2) return [];
  const shown = caused.filter(({ caused_usd }) => usdToNano(caused_usd) > 0n).slice(0, CAUSES_SHOWN);
  const lines = shown.map(({ step, caused_usd, by }) => {
    const amount = usdToNano(caused_usd);
    const share = `step ${step} caused ${usdText(amount)} (${shareText(amount, total)})`;
    const parts = by
      .filter(({ usd }) => usdToNano(usd) > 0n)
      .slice(0, 3)
      .map(({ source, usd, tokens_read, reads, basis }) => {
        const read = `${countText(tokens_read)} tokens in ${reads} ${reads === 1 ? 'call' : 'calls'}`;
        return `${source} ${usdText(usdToNano(usd))} (${read}) ${basis}`;
      });
    return clip(harmless(`${share}: ${parts.join(', ')}`), width);
  });
  return lines.length === 0 ? [] : [paint('caused by', 'dim', colour), ...lines];
}

function rowText(row: Row, total: Nano, sizes: Sizes, colour: boolean): string {
  const last = row.calls.at(-1) as Call;
  return [
    ...(sizes.wide ? [paint(new Date((row.calls[0] as Call).at).toTimeString().slice(0, TIME), 'dim', colour)] : []),
    cell(row.step > 0 ? `#${row.step}` : '-', STEP, true),
    cell(harmless(last.model) || '-', sizes.model),
    whatHappened(row.calls, sizes, colour),
    cell(tokensOf(row.calls), sizes.tokens, true),
    cell(usdText(row.cost), COST, true),
    cell(shareText(row.cost, total), SHARE, true),
  ].join(' ');
}

/** The tools that the step's answers propose, how often it was tried, and the worst verdict where it is not simply allowed. */
function whatHappened(calls: readonly Call[], { middle, wide }: Sizes, colour: boolean): string {
  const worst = calls.map(headlineOf).reduce((a, b) => (badness(b) > badness(a) ? b : a));
  const all = toolsOf(calls);
  const tools = all.filter((tool) => tool !== worst.action);
  const attempts = calls.length > 1 ? [`×${calls.length}`] : [];
  if (badness(worst) === 0) return cell([...(all.length > 0 ? all : [worst.action]), ...attempts].join(' '), middle);
  const rule = wide || worst.rule.startsWith('budget/') ? worst.rule : worst.rule.slice(worst.rule.indexOf('/') + 1);
  const said = worst.word.length + 1;
  // what the verdict is about stands next to it
  const shown = clip(
    [...tools, ...attempts, worst.action].join(' '),
    Math.max(4, middle - said - (rule === '' ? 0 : rule.length + 1)),
  );
  const rest = cell(rule === '' ? '' : ` ${rule}`, middle - [...shown].length - said);
  return `${shown} ${paint(worst.word, worst.tone, colour)}${rest}`;
}

const badness = ({ tone }: Headline): number => (tone === 'bad' ? 2 : tone === 'care' ? 1 : 0);

function toolsOf(calls: readonly Call[]): readonly string[] {
  const proposed = calls.flatMap(({ actions }) => actions.filter(({ point }) => point === 'pre_tool_call'));
  return [...new Set(proposed.map(({ tool }) => `→${harmless(tool ?? '')}`))];
}

function tokensOf(calls: readonly Call[]): string {
  const sum = (count: (usage: Call['usage']) => number): number =>
    calls.reduce((all, { usage }) => all + count(usage), 0);
  const input = sum((usage) => usage.input + usage.cache_read + usage.cache_write);
  const output = sum((usage) => usage.output);
  return input + output === 0 ? '-' : `${countText(input)}→${countText(output)}`;
}

function shareText(part: Nano, whole: Nano): string {
  return whole === 0n ? '-' : `${Math.floor((Number((part * 1000n) / whole) + 5) / 10)}%`;
}

/** Steps in the order they were first seen. */
function rowsOf(calls: readonly Call[]): Row[] {
  const byStep = new Map<number, Call[]>();
  for (const call of calls) {
    const row = byStep.get(call.step);
    if (row && call.step > 0) row.push(call);
    else if (call.step > 0) byStep.set(call.step, [call]);
    else byStep.set(-byStep.size - 1, [call]);
  }
  return [...byStep].map(([step, group]) => ({
    step: Math.max(0, step),
    calls: group,
    cost: nano(group.reduce((sum, { cost_usd }) => sum + usdToNano(cost_usd), 0n)),
  }));
}
