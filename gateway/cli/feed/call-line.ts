import type { Nano } from '../../domain/scalars.ts';
import { costText, tokenText, usdText } from './amounts.ts';
import type { Call } from './call.ts';
import { type Headline, headlineOf } from './headline.ts';
import { cell, clip, harmless, paint } from './paint.ts';

export interface LineOptions {
  /** characters to fill; fewer than 60 count as 60 */
  readonly width: number;
  readonly colour: boolean;
  /** money spent so far, this call included; without it that column is left out */
  readonly total?: Nano | undefined;
}

/** Widths of the columns; what is left of the line is for action, verdict and rule. */
interface Columns {
  readonly who: number;
  readonly step: number;
  readonly tokens: number;
  readonly money: number;
  readonly middle: number;
  readonly wide: boolean;
}

const LEAST = 60;
const WIDE = 110;
const TIME = 8;
const ACTION_WIDE = 18;
const ACTION_NARROW = 12;

function columnsFor({ width, total }: LineOptions): Columns {
  const line = Math.max(LEAST, width);
  const wide = line >= WIDE;
  const sizes = wide ? { who: 16, step: 4, tokens: 11, money: 9 } : { who: 10, step: 2, tokens: 8, money: 7 };
  const amounts = total === undefined ? 1 : 2;
  const fixed = TIME + sizes.who + sizes.step + sizes.tokens + amounts * sizes.money + 4 + amounts;
  return { ...sizes, middle: line - fixed, wide };
}

/** One call in one line of at most `width` characters: time, agent/run, step, action, verdict, rule, tokens, cost and total. */
export function callLine(call: Call, options: LineOptions): string {
  const { colour, total } = options;
  const size = columnsFor(options);
  const headline = headlineOf(call);
  const cost = costText(call);
  return [
    paint(timeText(call.at), 'dim', colour),
    cell(whoText(call, size.who), size.who),
    cell(call.step > 0 ? `${size.wide ? '#' : ''}${call.step}` : '-', size.step, true),
    middleText(headline, size, colour),
    cell(tokenText(call.usage), size.tokens, true),
    cell(cost, size.money, true),
    ...(total === undefined ? [] : [paint(cell(usdText(total), size.money, true), 'dim', colour)]),
  ].join(' ');
}

/** The names of the columns, laid out as `callLine` does with the same options. */
export function callHeader(options: LineOptions): string {
  const size = columnsFor(options);
  const line = [
    cell('time', TIME),
    cell('agent/run', size.who),
    cell(size.wide ? 'step' : '#', size.step, true),
    cell('action, verdict, rule', size.middle),
    cell(size.wide ? 'tokens' : 'in→out', size.tokens, true),
    cell('cost', size.money, true),
    ...(options.total === undefined ? [] : [cell('total', size.money, true)]),
  ].join(' ');
  return paint(line, 'dim', options.colour);
}

/** Local time of day, as a person looks at it. */
function timeText(at: string): string {
  const date = new Date(at);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `agent/run`; where both do not fit, each keeps its beginning. */
function whoText({ agent, run }: Call, width: number): string {
  const [a, r] = [harmless(agent ?? '-'), harmless(run ?? '-')];
  if (a.length + r.length + 1 <= width) return `${a}/${r}`;
  const half = Math.floor((width - 1) / 2);
  const runRoom = Math.max(half, width - 1 - a.length);
  const agentRoom = width - 1 - Math.min(r.length, runRoom);
  return `${clip(a, agentRoom)}/${clip(r, runRoom)}`;
}

/** Action, verdict and rule in `middle` characters. Narrow lines show the rule without its bundle and no note. */
function middleText(
  { action, word, tone, rule, note, more }: Headline,
  { middle, wide }: Columns,
  colour: boolean,
): string {
  const shownRule = wide ? rule : rule.slice(rule.indexOf('/') + 1);
  const isBudget = rule.startsWith('budget');
  const tail = [
    isBudget && !wide ? rule : shownRule,
    wide && note !== '' ? `(${note})` : '',
    more > 0 ? `+${more}` : '',
  ]
    .filter((part) => part !== '')
    .join(' ');
  const room = wide ? ACTION_WIDE : middle - word.length - 1 - Math.min(tail.length + 1, 16);
  const shown = wide
    ? cell(action, room)
    : cell(clip(action, room), Math.min(room, Math.max(ACTION_NARROW, action.length)));
  const left = middle - [...shown].length - 1 - word.length - (tail === '' ? 0 : 1);
  const rest = clip(tail, left);
  const pad = ' '.repeat(Math.max(0, left - [...rest].length));
  return `${shown} ${paint(word, tone, colour)}${tail === '' ? '' : ' '}${rest}${pad}`;
}
