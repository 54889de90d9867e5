import { severity } from '../../domain/verdict.ts';
import type { Call, CallAction } from './call.ts';
import { harmless, type Tone } from './paint.ts';

/** What a call came to, in a few words. */
export interface Headline {
  /** what was judged: `→tool` proposed by the model, `←tool` a result on its way to it, else the point */
  readonly action: string;
  /** the verdict: `allow`, `redact`, `DENY`, `HALT`, or how the call ended otherwise */
  readonly word: string;
  readonly tone: Tone;
  /** the rule that decided, '' where none did */
  readonly rule: string;
  /** reason, kinds of secrets found, or the fault's code; '' where there is nothing to add */
  readonly note: string;
  /** further actions of the call that were not simply allowed */
  readonly more: number;
}

/** The strictest of a call's verdicts, or how the call failed; an allowed call is named by the tools its answer proposes. */
export function headlineOf(call: Call): Headline {
  const notable = call.actions.filter(({ decision }) => decision !== 'allow');
  const worst = notable.reduce<CallAction | undefined>(
    (strictest, one) => (strictest && severity(strictest.decision) >= severity(one.decision) ? strictest : one),
    undefined,
  );
  const more = Math.max(0, notable.length - 1);
  const stopped = stoppedBy(call, worst);
  if (stopped) return { action: worst ? subject(worst) : 'model call', more, ...stopped };
  if (worst) return { action: subject(worst), ...verdictOf(worst), more };
  const failed = failureOf(call);
  return {
    action: proposed(call),
    ...(failed ?? { word: 'allow', tone: 'good', rule: allowRule(call), note: '' }),
    more: 0,
  };
}

type Said = Pick<Headline, 'word' | 'tone' | 'rule' | 'note'>;

/** The call as a whole was refused before it was carried. */
function stoppedBy(call: Call, worst: CallAction | undefined): Said | undefined {
  const judge = worst && severity(worst.decision) >= severity('escalate') ? worst : undefined;
  const rule = harmless(judge?.rule ?? '');
  const note = harmless(judge?.reason ?? '');
  if (call.fault === 'TG_BUDGET_EXCEEDED')
    return { word: 'HALT', tone: 'bad', rule: rule || 'budget', note: note || 'budget_exceeded' };
  if (call.ending !== 'denied') return undefined;
  return { word: 'DENY', tone: 'bad', rule, note: note || (call.fault ?? '') };
}

function verdictOf(action: CallAction): Said {
  const rule = harmless(action.rule ?? '');
  const kinds = Object.keys(action.findings).map(harmless).join(', ');
  const note = harmless(action.reason ?? '');
  switch (action.decision) {
    case 'deny':
      return { word: 'DENY', tone: 'bad', rule, note };
    case 'escalate':
      return { word: 'HOLD', tone: 'bad', rule, note };
    case 'transform':
      return { word: kinds === '' ? 'edit' : 'redact', tone: 'care', rule, note: kinds || note };
    default:
      return { word: action.decision, tone: action.decision === 'warn' ? 'care' : 'good', rule, note: note || kinds };
  }
}

const ENDINGS: Readonly<Record<string, string>> = {
  upstream_broke: 'broken',
  client_left: 'left',
  cut: 'cut',
  lapsed: 'lapsed',
};

function failureOf({ ending, status, fault }: Call): Said | undefined {
  if (ending === 'completed') return undefined;
  const word = ENDINGS[ending] ?? (status > 0 ? `error ${status}` : 'error');
  return { word, tone: ending === 'client_left' ? 'care' : 'bad', rule: '', note: fault ?? '' };
}

function subject({ point, tool }: CallAction): string {
  if (tool === null || tool === '') return point.replaceAll('_', ' ').replace('pre model call', 'model call');
  return `${point === 'post_tool_call' ? '←' : '→'}${harmless(tool)}`;
}

/** What the answer proposes, or that it is text. */
function proposed({ actions }: Call): string {
  const calls = actions.filter(({ point }) => point === 'pre_tool_call');
  if (calls.length > 0) return calls.map(subject).join(' ');
  return actions.some(({ point }) => point === 'output') ? 'text' : 'model call';
}

const allowRule = ({ actions }: Call): string =>
  harmless(actions.find(({ point, rule }) => point === 'pre_tool_call' && rule !== null)?.rule ?? '');
