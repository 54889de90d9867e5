import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EpochMs, epochMs, nano } from '../../gateway/domain/scalars.ts';
import type { MessageMark } from '../../gateway/ports/dialect.ts';
import type { Conversation, RunSpace, Runs, RunUpdate } from '../../gateway/ports/runs.ts';

export interface OpenRuns {
  readonly runs: Runs;
  reopen(): Promise<OpenRuns>;
  close(): Promise<void>;
}

const T0 = 1_790_000_000_000;
const at = (ms: number): EpochMs => epochMs(T0 + ms);
const SPACE: RunSpace = { tenant: 'acme', key: 'k1' };
const MIN = 60_000;

const user = (text: string): MessageMark => ({ role: 'user', canonical: JSON.stringify(text) });
const model = (text: string): MessageMark => ({ role: 'assistant', canonical: JSON.stringify(text) });
const talk = (messages: readonly MessageMark[], issuedIds: readonly string[] = [], dialect = 'chat'): Conversation => ({
  dialect,
  messages,
  issuedIds,
});

function done(change: Partial<RunUpdate> = {}): RunUpdate {
  return { at: at(0), cost: nano(0n), conversation: talk([]), issuedIds: [], ...change };
}

/** What every memory of runs does (gateway/ports/runs.ts, attribution.md 6, meter.md 5). */
export function runsContract(name: string, open: () => Promise<OpenRuns>): void {
  describe(`runs: ${name}`, () => {
    let store: OpenRuns;
    let runs: Runs;
    beforeEach(async () => {
      store = await open();
      runs = store.runs;
    });
    afterEach(() => store.close());

    /** One turn of a conversation, as the corridor plays it. Returns the run it landed in. */
    let made = 0;
    const turn = (
      space: RunSpace,
      conversation: Conversation,
      answer: MessageMark,
      issuedIds: string[] = [],
    ): string => {
      made += 1;
      const run = runs.infer(space, conversation) ?? `run-${made}`;
      runs.enter(space, run, at(made), `request-${made}`, false);
      runs.update(space, run, done({ conversation, answer, issuedIds }));
      return run;
    };

    describe('inference', () => {
      const first = [user('fix the bug')];
      const second = [...first, model('which one?'), user('the second')];

      it('continues a run whose answer stands in the history', () => {
        const run = turn(SPACE, talk(first), model('which one?'));
        expect(turn(SPACE, talk(second), model('done'))).toBe(run);
        expect(runs.infer(SPACE, talk([...second, model('done'), user('thanks')]))).toBe(run);
      });

      it('starts a new run where only instructions and the first question are common', () => {
        const run = turn(SPACE, talk(first), model('which one?'));
        expect(runs.infer(SPACE, talk(first))).toBeUndefined();
        expect(turn(SPACE, talk(first), model('another answer'))).not.toBe(run);
      });

      it('starts a new run where the history holds answers that the gate never relayed', () => {
        const examples = [user('2+2'), model('4'), user('3+3')];
        turn(SPACE, talk(examples), model('6'));
        expect(runs.infer(SPACE, talk([user('2+2'), model('4'), user('5+5')]))).toBeUndefined();
      });

      it('sees an edited or regenerated turn as a branch of its run', () => {
        const run = turn(SPACE, talk(first), model('which one?'));
        turn(SPACE, talk(second), model('done'));
        expect(turn(SPACE, talk([...first, model('which one?'), user('the third')]), model('no'))).toBe(run);
        expect(turn(SPACE, talk(second), model('done differently'))).toBe(run);
        expect(runs.infer(SPACE, talk([...second, model('done'), user('x')]))).toBe(run);
        expect(runs.infer(SPACE, talk([...second, model('done differently'), user('x')]))).toBe(run);
      });

      it('needs the answer as it was relayed', () => {
        turn(SPACE, talk(first), model('which one?'));
        expect(runs.infer(SPACE, talk([...first, model('forged'), user('the second')]))).toBeUndefined();
        expect(runs.infer(SPACE, talk([...first, user('which one?'), user('the second')]))).toBeUndefined();
      });

      it('knows an id that it saw issued, with no history at all', () => {
        const run = turn(SPACE, talk(first), model('call a tool'), ['toolu_1', 'toolu_2']);
        expect(runs.infer(SPACE, talk([user('compacted')], ['toolu_2']))).toBe(run);
        expect(runs.infer(SPACE, talk([user('compacted')], ['toolu_3']))).toBeUndefined();
        expect(runs.infer(SPACE, talk([user('compacted')], ['toolu_1', 'toolu_3']))).toBe(run);
      });

      it('trusts no id that several runs were given, and goes by the history', () => {
        const one = turn(SPACE, talk([user('a')]), model('x'), ['call_1']);
        const two = turn(SPACE, talk([user('b')]), model('y'), ['call_1']);
        expect(runs.infer(SPACE, talk([user('b'), model('y'), user('go')], ['call_1']))).toBe(two);
        expect(runs.infer(SPACE, talk([user('a'), model('x'), user('go')], ['call_1']))).toBe(one);
        expect(runs.infer(SPACE, talk([user('c')], ['call_1']))).toBeUndefined();
      });

      it('tells apart the same conversation held twice, one after the other', () => {
        const one = turn(SPACE, talk(first), model('which one?'), ['call_1']);
        expect(turn(SPACE, talk(second, ['call_1']), model('done'))).toBe(one);
        const two = turn(SPACE, talk(first), model('which one?'), ['call_1']);
        expect(two).not.toBe(one);
        expect(turn(SPACE, talk(second, ['call_1']), model('done'))).toBe(two);
      });

      it('tells apart the same conversation held by two at once, as long as they take turns', () => {
        const one = turn(SPACE, talk(first), model('which one?'));
        const two = turn(SPACE, talk(first), model('which one?'));
        expect(two).not.toBe(one);
        const earlier = turn(SPACE, talk(second), model('done'));
        const later = turn(SPACE, talk([...first, model('which one?'), user('the third')]), model('no'));
        expect(new Set([earlier, later])).toEqual(new Set([one, two]));
      });

      it('never looks across keys, tenants or dialects', () => {
        turn(SPACE, talk(first), model('which one?'), ['toolu_1']);
        const next = talk(second, ['toolu_1']);
        for (const space of [
          { tenant: 'acme', key: 'k2' },
          { tenant: 'other', key: 'k1' },
        ]) {
          expect(runs.infer(space, next)).toBeUndefined();
        }
        expect(runs.infer(SPACE, { ...next, dialect: 'messages' })).toBeUndefined();
        expect(runs.infer(SPACE, next)).toBeDefined();
      });

      it('keeps runs with equal ids apart: two keys share nothing', () => {
        const [mine, theirs] = [SPACE, { tenant: 'acme', key: 'k2' }];
        runs.enter(mine, 'r', at(0), 'h', false);
        runs.enter(mine, 'r', at(1), 'h2', false);
        runs.label(mine, 'r', ['confidential'], at(1));
        runs.sight(mine, 'r', { tool: 'bash', key: 'a' }, at(1));
        runs.update(mine, 'r', done({ cost: nano(5_000_000_000n) }));
        expect(runs.firstSight(mine, 'r', 'part')).toBe(true);
        expect(runs.facts(theirs, 'r', at(5_000))).toEqual({
          id: 'r',
          steps: 0,
          spent_usd: 0,
          elapsed_s: 0,
          labels: [],
          tools: [],
          calls: new Map(),
          last_at: new Map(),
          identical_calls: 0,
          cycle: { period: 0, repeats: 0 },
          velocity_usd_per_min: 0,
          no_progress: 0,
          context_growth: 1,
          uncached_ratio: 1,
          near_duplicates: 0,
          retries: 0,
          fan_out_per_min: 0,
          depth: 0,
        });
        expect(runs.firstSight(theirs, 'r', 'part')).toBe(true);
        expect(runs.enter(theirs, 'r', at(2), 'h', true)).toEqual({ step: 1, attempt: 1, first: true });
      });

      it('lands every turn of 300 conversations with one first message in its own run', { timeout: 60_000 }, () => {
        fc.assert(
          fc.property(fc.infiniteStream(fc.nat()), (random) => {
            const next = (below: number): number => (random.next().value as number) % below;
            conversations(next, turn, made);
          }),
          { numRuns: 5 },
        );
      });
    });

    describe('steps', () => {
      it('counts calls, and a retry as an attempt of its step', () => {
        expect(runs.enter(SPACE, 'r', at(0), 'a', false)).toEqual({ step: 1, attempt: 1, first: true });
        runs.update(SPACE, 'r', done({ requestHash: 'a', answer: model('x') }));
        expect(runs.enter(SPACE, 'r', at(1), 'b', false)).toEqual({ step: 2, attempt: 1, first: false });
        expect(runs.enter(SPACE, 'r', at(2), 'b', true)).toEqual({ step: 2, attempt: 2, first: false });
        expect(runs.enter(SPACE, 'r', at(3), 'c', true)).toEqual({ step: 3, attempt: 1, first: false });
        expect(runs.enter(SPACE, 'r', at(4), 'b', true)).toEqual({ step: 2, attempt: 3, first: false });
        expect(runs.facts(SPACE, 'r', at(5)).steps).toBe(3);
      });

      it('knows a retry without its mark by the failure before it', () => {
        runs.enter(SPACE, 'r', at(0), 'a', false);
        runs.update(SPACE, 'r', done({ requestHash: 'a' }));
        expect(runs.enter(SPACE, 'r', at(1), 'a', false)).toMatchObject({ step: 1, attempt: 2 });
        runs.update(SPACE, 'r', done({ requestHash: 'a', answer: model('x') }));
        expect(runs.enter(SPACE, 'r', at(2), 'a', false)).toMatchObject({ step: 2, attempt: 1 });
      });

      it('counts the same request again as a step where the one before is under way or too long ago', () => {
        runs.enter(SPACE, 'r', at(0), 'a', false);
        expect(runs.enter(SPACE, 'r', at(0), 'a', false)).toMatchObject({ step: 2, attempt: 1 });
        expect(runs.enter(SPACE, 'r', at(11 * MIN), 'a', true)).toMatchObject({ step: 3, attempt: 1 });
        expect(runs.enter(SPACE, 'r', at(21 * MIN), 'a', true)).toMatchObject({ step: 3, attempt: 2 });
      });

      it('says `first` until a call was answered, so that no failed start slips by', () => {
        expect(runs.enter(SPACE, 'r', at(0), 'a', false).first).toBe(true);
        runs.update(SPACE, 'r', done({ requestHash: 'a' }));
        expect(runs.enter(SPACE, 'r', at(1), 'a', false).first).toBe(true);
        expect(runs.enter(SPACE, 'r', at(2), 'b', false).first).toBe(true);
        runs.update(SPACE, 'r', done({ requestHash: 'b', answer: model('x') }));
        expect(runs.enter(SPACE, 'r', at(3), 'c', false).first).toBe(false);
      });
    });

    describe('facts', () => {
      const see = (...calls: readonly string[]): void => {
        for (const key of calls) runs.sight(SPACE, 'r', { tool: key.toLowerCase(), key }, at(0));
      };
      const facts = (ms = 0) => runs.facts(SPACE, 'r', at(ms));

      it.each([
        ['A', 1],
        ['A A A', 3],
        ['A A B', 1],
        ['A A B A A', 2],
      ])('counts the same call in a row: %s', (log, expected) => {
        see(...log.split(' '));
        expect(facts().identical_calls).toBe(expected);
      });

      it.each([
        ['A B', 0, 0],
        ['A B A', 0, 0],
        ['A B A B', 2, 2],
        ['A B A B A', 2, 2],
        ['X A B A B A B', 2, 3],
        ['A B C A B C A B C', 3, 3],
        ['A B C D E F A B C D E F', 6, 2],
        ['A A B A A B', 3, 2],
        ['A B A B C A B A B C', 5, 2],
        ['C A B A B C A B A B', 2, 2],
        ['A A A A A A A A', 0, 0],
        ['A B A B C', 0, 0],
        ['A B C D E F G A B C D E F G', 0, 0],
      ])('sees the cycle of %s', (log, period, repeats) => {
        see(...log.split(' '));
        expect(facts().cycle).toEqual({ period, repeats });
      });

      it('agrees with a naive search for cycles over any log', () => {
        fc.assert(
          fc.property(fc.array(fc.constantFrom('A', 'B', 'C'), { maxLength: 40 }), (log) => {
            made += 1;
            const run = `cycle-${made}`;
            for (const key of log) runs.sight(SPACE, run, { tool: 't', key }, at(0));
            expect(runs.facts(SPACE, run, at(0)).cycle).toEqual(naiveCycle(log));
          }),
        );
      });

      it('knows when each tool was called last; a call that is only asked about is not one', () => {
        runs.sight(SPACE, 'r', { tool: 'a', key: 'A' }, at(1_000));
        runs.sight(SPACE, 'r', { tool: 'b', key: 'B' }, at(2_000));
        const before = facts(2_500).last_at;
        runs.sight(SPACE, 'r', { tool: 'a', key: 'A2' }, at(3_000));
        expect(before).toEqual(
          new Map([
            ['a', at(1_000)],
            ['b', at(2_000)],
          ]),
        );
        const after = runs.factsWith(SPACE, 'r', at(9_000), { tool: 'c', key: 'C' });
        expect(after.last_at).toEqual(
          new Map([
            ['a', at(3_000)],
            ['b', at(2_000)],
          ]),
        );
        expect(after.forgotten).toBeUndefined();
      });

      it('tells what one more call would make of it, and leaves the log alone', () => {
        see('A', 'B', 'A');
        const before = facts();
        const asIf = runs.factsWith(SPACE, 'r', at(0), { tool: 'b', key: 'B' });
        expect(asIf).toMatchObject({ identical_calls: 1, cycle: { period: 2, repeats: 2 }, tools: ['a', 'b'] });
        expect(asIf.calls).toEqual(
          new Map([
            ['a', 2],
            ['b', 2],
          ]),
        );
        expect(runs.factsWith(SPACE, 'r', at(0), { tool: 'a', key: 'A' }).identical_calls).toBe(2);
        expect(runs.factsWith(SPACE, 'r', at(0), { tool: 'new', key: 'N' }).tools).toEqual(['a', 'b', 'new']);
        expect(facts()).toEqual(before);
      });

      it('never changes facts that were handed out', () => {
        see('A');
        runs.label(SPACE, 'r', ['one'], at(0));
        const before = facts();
        const copy = structuredClone({ ...before, calls: [...before.calls] });
        see('A', 'B');
        runs.label(SPACE, 'r', ['two'], at(0));
        expect({ ...before, calls: [...before.calls] }).toEqual(copy);
      });

      it('keeps labels once each, tools in order of their first call, and calls per tool', () => {
        see('B', 'A', 'B');
        runs.label(SPACE, 'r', ['x', 'y'], at(0));
        runs.label(SPACE, 'r', ['y', 'z', 'z'], at(0));
        expect(facts()).toMatchObject({ labels: ['x', 'y', 'z'], tools: ['b', 'a'] });
        expect(facts().calls).toEqual(
          new Map([
            ['b', 2],
            ['a', 1],
          ]),
        );
      });

      it('sums what was spent, the last minute of it, and the seconds since the first call', () => {
        runs.enter(SPACE, 'r', at(0), 'a', false);
        runs.update(SPACE, 'r', done({ at: at(500), cost: nano(1_500_000_000n) }));
        runs.update(SPACE, 'r', done({ at: at(30_000), cost: nano(500_000_000n) }));
        expect(facts(59_999)).toMatchObject({ spent_usd: 2, velocity_usd_per_min: 2, elapsed_s: 59 });
        expect(facts(60_000)).toMatchObject({ spent_usd: 2, velocity_usd_per_min: 0.5, elapsed_s: 60 });
        expect(facts(200_000)).toMatchObject({ spent_usd: 2, velocity_usd_per_min: 0, elapsed_s: 200 });
        expect(facts(-1_000).elapsed_s).toBe(0);
      });

      it('knows how deep a run stands below others, and one that stands below itself', () => {
        const depth = (run: string) => runs.facts(SPACE, run, at(0)).depth;
        const begins = (parent: string, run: string): void => runs.spawned(SPACE, parent, run, run, at(0));
        begins('a', 'b');
        begins('b', 'c');
        begins('b', 'c');
        expect(['a', 'b', 'c'].map(depth)).toEqual([0, 1, 2]);
        // an agent within a run of its own is no deeper
        runs.spawned(SPACE, 'c', 'c', 'helper', at(0));
        expect(depth('c')).toBe(2);
        begins('c', 'a');
        expect(depth('a')).toBe(32);
        for (let i = 0; i < 100; i += 1) begins(`d${i}`, `d${i + 1}`);
        expect([1, 31, 32, 100].map((i) => depth(`d${i}`))).toEqual([1, 31, 32, 32]);
      });

      it('counts answers that say nearly the same as the last one, among the last twenty', () => {
        const answered = (high: number, low = 0): number => {
          runs.update(SPACE, 'r', done({ sketch: { high, low } }));
          return facts().near_duplicates as number;
        };
        expect(facts().near_duplicates).toBe(0);
        expect(answered(0b0)).toBe(1);
        expect(answered(0b111)).toBe(2);
        expect(answered(0b111, 0x8000_0000)).toBe(2);
        // three bits away from the first two, four from the third
        expect(answered(0b1, 0b1)).toBe(3);
        expect(answered(0xffff_ffff)).toBe(1);
        runs.update(SPACE, 'r', done({ answer: model('a turn without words') }));
        expect(facts().near_duplicates).toBe(1);
        for (let i = 0; i < 30; i += 1) answered(0xffff_ffff);
        expect(facts().near_duplicates).toBe(20);
      });

      it('sees a part for the first time once', () => {
        expect([1, 2, 1, 2].map((part) => runs.firstSight(SPACE, 'r', `${part}`))).toEqual([true, true, false, false]);
        expect(runs.firstSight(SPACE, 'other', '1')).toBe(true);
      });
    });

    describe('halts', () => {
      it('stops exactly the run, agent or human that was named', () => {
        const asked = (space = SPACE, run = 'r', agent = 'a', human: string | undefined = 'h') =>
          runs.halted(space, run, agent, human);
        expect(asked()).toBeUndefined();
        runs.halt('human', 'acme/h');
        expect(asked()).toBe('human');
        expect(runs.halted(SPACE, 'r', 'a', undefined)).toBeUndefined();
        runs.halt('agent', 'acme/a');
        expect(asked()).toBe('agent');
        runs.halt('run', 'acme/k1/r');
        runs.halt('run', 'acme/k1/r');
        expect(asked()).toBe('run');
        expect(asked({ tenant: 'acme', key: 'k2' }, 'r', 'b', 'i')).toBeUndefined();
        expect(asked({ tenant: 'other', key: 'k1' })).toBeUndefined();
      });

      it('still holds after a restart', async () => {
        runs.halt('run', 'acme/k1/r');
        store = await store.reopen();
        expect(store.runs.halted(SPACE, 'r', 'a', undefined)).toBe('run');
        expect(store.runs.halted(SPACE, 's', 'a', undefined)).toBeUndefined();
      });
    });
  });
}

type Turn = (space: RunSpace, conversation: Conversation, answer: MessageMark, issuedIds: string[]) => string;

/** Plays 300 conversations, their turns interleaved, some twice, some with an id instead of their history. */
function conversations(next: (below: number) => number, turn: Turn, salt: number): void {
  const space = { tenant: 'acme', key: `shuffle-${salt}` };
  const talks = Array.from({ length: 300 }, (_, n) => ({
    n,
    turns: 0,
    messages: [user('CLAUDE.md of the project')] as MessageMark[],
    ids: [] as string[],
    run: undefined as string | undefined,
  }));
  const taken = new Set<string>();
  let unfinished = [...talks];
  while (unfinished.length > 0) {
    const talking = unfinished[next(unfinished.length)]!;
    const { n, turns } = talking;
    const again = turns > 0 && next(5) === 0 ? 2 : 1;
    const carried = turns > 0 && next(3) === 0 ? talking.ids.slice(-1) : [];
    const shown = carried.length > 0 && next(2) === 0 ? [user(`summary of ${n}`)] : talking.messages;
    const answer = model(turns === 0 ? `answer ${n}` : 'the same words for everybody');
    for (let repeat = 0; repeat < again; repeat += 1) {
      const run = turn(space, talk(shown, carried), answer, [`toolu_${n}_${turns}_${repeat}`]);
      if (talking.run === undefined) {
        expect(taken.has(run)).toBe(false);
        taken.add(run);
        talking.run = run;
      }
      expect(run).toBe(talking.run);
    }
    talking.ids.push(`toolu_${n}_${turns}_${again - 1}`);
    talking.messages = [...shown, answer, user(turns % 2 === 0 ? 'go on' : `go on ${n}`)];
    talking.turns += 1;
    unfinished = unfinished.filter((other) => other.turns < 4);
  }
  expect(taken.size).toBe(300);
}

function naiveCycle(log: readonly string[]): { period: number; repeats: number } {
  let best = { period: 0, repeats: 0 };
  for (let period = 2; period <= 6; period += 1) {
    const block = log.slice(-period);
    if (block.length < period || new Set(block).size === 1) continue;
    let repeats = 1;
    while (log.length >= period * (repeats + 1)) {
      const from = log.length - period * (repeats + 1);
      if (log.slice(from, from + period).join() !== block.join()) break;
      repeats += 1;
    }
    if (repeats >= 2 && repeats > best.repeats) best = { period, repeats };
  }
  return best;
}
