import { setImmediate } from 'node:timers/promises';
import { Fault } from '../domain/fault.ts';
import { isArray } from '../domain/json.ts';
import type { Splice } from '../domain/json-splice.ts';
import type { Member, Reading } from '../ports/dialect.ts';
import { ask } from './ask.ts';
import {
  capSplices,
  type Decision,
  describe,
  type Heard,
  hear,
  type Plea,
  permitOf,
  settleEdits,
  strictest,
} from './decide.ts';
import { bodyTarget } from './identities.ts';
import { type Bench, denialText, type Judged, judge } from './judgement.ts';
import { land } from './landing.ts';
import { arrivingActions, modelCallAction, modelOf, type PlacedAction } from './request-actions.ts';

/** Others find their turn after so many requests of a batch. */
const AT_ONCE = 50;
/** A receipt names so many actions that a batch was simply allowed, and every other one. */
const RECORDED = 1000;
/** A denial names so many requests beside the first. */
const NAMED = 10;

interface Refused {
  readonly judged: Judged;
  readonly member: Member;
}

/**
 * Judges every request of a batch at the points of a request of its own, lands what the verdicts change, and mints one permit for all.
 * Throws a Fault that names the denied requests: where one is denied, nothing is carried.
 */
export async function decideBatch(bench: Bench, whole: Plea): Promise<Decision> {
  let recorded = 0;
  const plea: Plea = {
    ...whole,
    record: (action) => {
      const plain = action.decision === 'allow' && action.findings === undefined;
      recorded += 1;
      if (!plain || recorded <= RECORDED) whole.record(action);
    },
  };
  const judged: Judged[] = [];
  const arriving = (member: Member, i: number): PlacedAction[] =>
    arrivingActions(member.reading, modelOf(member.reading, plea.provider), bench.principal, plea.first && i === 0);
  const calling = (member: Member): PlacedAction =>
    modelCallAction(member.reading, modelOf(member.reading, plea.provider));
  const arrived = await hearAll(
    plea.reading,
    judged,
    (members, from) =>
      ask(
        bench,
        members.flatMap((m, i) => arriving(m, from + i).map(({ action }) => action)),
      ),
    (member, i) => arriving(member, i).map((placed) => hear(bench, plea, placed)),
  );
  let reading = settleEdits(bench, plea, plea.reading, arrived.heard);
  const caps: Splice[] = [];
  const asking = (members: readonly Member[]): Promise<void> =>
    ask(
      bench,
      members.map((m) => calling(m).action),
    );
  const called = await hearAll(reading, judged, asking, (member) => {
    const { action, base } = calling(member);
    const one = judge(bench, action, { identityTarget: bodyTarget(member.reading.doc.text) });
    plea.record(one.record);
    for (const splice of capSplices(plea, member.reading, one.verdict))
      caps.push({ ...splice, at: member.at + splice.at });
    return [{ judged: one, base }];
  });
  reading = settleEdits(bench, plea, reading, called.heard, caps);
  const body = reading.preparation.length === 0 ? reading.doc.text : land(reading.doc.text, reading.preparation);
  return { permit: permitOf(plea, body), reading, decision: strictest(judged) };
}

/** Judges something of every request, remote detectors asked about some at once; what it finds is placed in the whole body. Throws where any is denied. */
async function hearAll(
  { members = [] }: Reading,
  all: Judged[],
  askFirst: (members: readonly Member[], from: number) => Promise<void>,
  judgeOne: (member: Member, i: number) => readonly Heard[],
): Promise<{ readonly heard: readonly Heard[] }> {
  const heard: Heard[] = [];
  const refused: Refused[] = [];
  for (const [i, member] of members.entries()) {
    if (i % AT_ONCE === 0) await askFirst(members.slice(i, i + AT_ONCE), i);
    if (i % AT_ONCE === AT_ONCE - 1) await setImmediate();
    for (const { judged, base } of judgeOne(member, i)) {
      all.push(judged);
      const { decision, edits } = judged.verdict;
      if (decision === 'deny' || decision === 'escalate') refused.push({ judged, member });
      else if (edits.length > 0)
        heard.push({
          judged,
          base: isArray(base) ? base.map((at) => member.at + String(at)) : member.at + String(base),
        });
    }
  }
  const [first, ...others] = refused;
  if (first) throw denialOf(first, others);
  return { heard };
}

function denialOf({ judged, member }: Refused, others: readonly Refused[]): Fault {
  const { verdict } = judged;
  const names = [...new Set(others.map((one) => one.member.name))].filter((name) => name !== member.name);
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
  const also = names.length === 0 ? '' : `; also denied: ${names.slice(0, NAMED).join(', ')}${more}`;
  const message = `${denialText(verdict, `${describe(judged)}, in ${member.name},`)}${also}; nothing of the batch was carried`;
  return new Fault('TG_POLICY_DENIED', message, undefined, { rule: verdict.rule, reason: verdict.reason });
}
