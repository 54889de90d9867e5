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

/**
 * A run step by step: model, tokens, tools proposed, verdict, cost and share of the run; the dearest step is marked and the last
 * line says what it cost. Several attempts at one step are one row.
 */
export function runTable(run: Run, { width, colour }: TableOptions): string {
  const rows = rowsOf(run.steps);
  const total = usdToNano(run.cost_usd);
  const dearest = rows.reduce<Row | undefined>((most, row) => (row.cost > (most?.cost ?? 0n) ? row : most), undefined);
  const line = Math.max(60, width);
  const wide = line >= 100;
  const model = wide ? 20 : 12;
  // time, step, model, tokens, cost, share and the mark, with the gaps between them
  const middle = line - 8 - 4 - model - (wide ? 13 : 11) - 9 - 5 - 2 - 7;
  const head = [cell('time', 8), cell('step', 4, true), cell('model', model), cell('tools, verdict, rule', middle)];
  const titles = [...head, cell('in→out', wide ? 13 : 11, true), cell('cost', 9, true), cell('share', 5, true)].join(
    ' ',
  );
  const body = rows.map((row) => {
    const marked = row === dearest;
    const text = rowText(row, total, { model, middle, tokens: wide ? 13 : 11, colour });
    return marked ? `${text} ${paint('◀', 'bad', colour)}` : text;
  });
  return [
    ...headLines(run, total, line, colour),
    paint(titles, 'dim', colour),
    ...body,
    ...lastLine(dearest, total, colour),
  ].join('\n');
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

interface Sizes {
  readonly model: number;
  readonly middle: number;
  readonly tokens: number;
  readonly colour: boolean;
}

function rowText(row: Row, total: Nano, { model, middle, tokens, colour }: Sizes): string {
  const last = row.calls.at(-1) as Call;
  const attempts = row.calls.length > 1 ? ` ×${row.calls.length}` : '';
  return [
    paint(new Date((row.calls[0] as Call).at).toTimeString().slice(0, 8), 'dim', colour),
    cell(row.step > 0 ? `#${row.step}` : '-', 4, true),
    cell(harmless(last.model) || '-', model),
    whatHappened(row.calls.map(headlineOf), toolsOf(row.calls), attempts, middle, colour),
    cell(tokensOf(row.calls), tokens, true),
    cell(usdText(row.cost), 9, true),
    cell(shareText(row.cost, total), 5, true),
  ].join(' ');
}

function whatHappened(
  all: readonly Headline[],
  tools: string,
  attempts: string,
  width: number,
  colour: boolean,
): string {
  const worst = all.reduce((a, b) => (badness(b) > badness(a) ? b : a));
  const stopped =
    worst.tone === 'good'
      ? ''
      : ` ${worst.action === tools ? '' : `${worst.action} `}${worst.word} ${worst.rule}`.trimEnd();
  const plain = `${tools}${attempts}${stopped}`;
  const shown = cell(plain, width);
  if (stopped === '' || !shown.includes(worst.word)) return shown;
  const at = shown.lastIndexOf(worst.word);
  return shown.slice(0, at) + paint(worst.word, worst.tone, colour) + shown.slice(at + worst.word.length);
}

const badness = ({ tone }: Headline): number => (tone === 'bad' ? 2 : tone === 'care' ? 1 : 0);

function toolsOf(calls: readonly Call[]): string {
  const proposed = calls.flatMap(({ actions }) => actions.filter(({ point }) => point === 'pre_tool_call'));
  const names = new Set(proposed.map(({ tool }) => `→${harmless(tool ?? '')}`));
  return names.size > 0 ? [...names].join(' ') : 'text';
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
