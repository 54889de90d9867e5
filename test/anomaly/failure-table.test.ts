import { afterEach, describe, expect, it } from 'vitest';
import { Fault, type FaultCode } from '../../gateway/domain/fault.ts';
import type { Ledger } from '../../gateway/ports/ledger.ts';
import { fakeReply, type Rig, rig } from './rig.ts';
import { Saboteur } from './sabotage.ts';
import { answerOf, bodyOf, SCENARIOS, type Scenario, streamOf, URLS } from './scenarios.ts';

/** `start` and `reload` are in start.test.ts: they need files and ports. */

const UNARY = SCENARIOS.find((s) => s.tongue === 'openai' && s.name === 'a unary answer') as Scenario;
const STREAM = SCENARIOS.find((s) => s.tongue === 'openai' && s.name.startsWith('a stream with text')) as Scenario;
const CLAUDE = SCENARIOS.find((s) => s.tongue === 'anthropic' && s.name.startsWith('a stream with text')) as Scenario;

let stage: Rig | undefined;
afterEach(() => stage?.close());

interface Upset {
  readonly scenario?: Scenario;
  readonly body?: string;
  readonly policy?: string;
  readonly headers?: Record<string, string>;
  /** replaces rooms of the gate before the call */
  readonly break?: (gate: Rig['gate']) => Partial<Rig['gate']>;
  readonly sendFails?: readonly (Error | undefined)[];
  readonly leaveAfter?: number;
}

async function call(upset: Upset) {
  const { scenario = UNARY } = upset;
  const gone = new AbortController();
  let written = 0;
  let sends = 0;
  const { reply, seen } = fakeReply(gone, () => {
    written += 1;
    if (written === upset.leaveAfter) gone.abort();
  });
  const opened = await rig({
    saboteur: new Saboteur(),
    ...(upset.policy !== undefined && { policy: upset.policy }),
    async send({ signal }) {
      const error = upset.sendFails?.[sends];
      sends += 1;
      if (error) throw error;
      return answerOf(scenario, signal);
    },
  });
  stage = opened;
  Object.assign(opened.gate, upset.break?.(opened.gate));
  await opened.carry(URLS[scenario.tongue], upset.body ?? bodyOf(scenario), upset.headers ?? {}, reply);
  const [receipt, ...more] = opened.seals();
  expect(more).toEqual([]);
  expect(opened.inFlight()).toBe(0);
  return { rig: opened, seen, receipt, sends, money: await opened.money() };
}

const failing = (error: Error) => async (): Promise<never> => {
  throw error;
};
const codeIn = (text: string): unknown => (JSON.parse(text) as { error: { code: string } }).error.code;

/** refused: nothing carried, nothing held, nothing charged */
function expectRefused(result: Awaited<ReturnType<typeof call>>, status: number, code: FaultCode): void {
  expect([result.seen.status, codeIn(result.seen.text())]).toEqual([status, code]);
  expect(result.receipt).toMatchObject({ fault: code, status, cost_usd: '0' });
  expect(result.sends).toBe(0);
  expect(result.money).toEqual({ spent: 0n, held: 0n });
}

describe('identify', () => {
  it('a store of keys that does not answer: 503, never anonymous', async () => {
    const error = new Fault('TG_KEYS_UNAVAILABLE', 'the store of keys does not answer');
    expectRefused(
      await call({
        break: (g) => ({ identity: { ...g.identity, attribute: g.identity.attribute, authenticate: failing(error) } }),
      }),
      503,
      'TG_KEYS_UNAVAILABLE',
    );
  });
  it('an unknown key: 401', async () => {
    expectRefused(await call({ headers: { authorization: 'Bearer tg_unknown' } }), 401, 'TG_BAD_KEY');
  });
});

describe('read', () => {
  it.each([
    ['no JSON', '{"model":'],
    ['a duplicate key', '{"model":"gpt-4o","model":"gpt-4o-mini","messages":[{"role":"user","content":"x"}]}'],
    ['no object', '[]'],
    ['no messages', '{"model":"gpt-4o"}'],
  ])('%s: 400', async (_what, body) => {
    expectRefused(await call({ body }), 400, 'TG_BAD_REQUEST');
  });
  it('a body that its header says is compressed: 400', async () => {
    expectRefused(await call({ headers: { 'content-encoding': 'gzip' } }), 400, 'TG_BAD_REQUEST');
  });
});

describe('quote', () => {
  it('no price is a fact for policy, and never $0', async () => {
    const policy =
      'policy: tollgate/v1\nname: test\ndefault: allow\nrules:\n  - { id: priced, at: pre_model_call, when: "!quote.priced", verdict: deny, reason: unpriced }\n';
    const result = await call({ policy, body: bodyOf(UNARY).replace('gpt-4o', 'gpt-imaginary') });
    expect(result.seen.status).toBe(403);
    expect(result.receipt?.actions.at(-1)).toMatchObject({ decision: 'deny', rule: 'test/priced' });
    expect([result.sends, result.money.held]).toEqual([0, 0n]);
  });
});

describe('reserve', () => {
  it('a ledger that does not answer: 503', async () => {
    const down = failing(new Fault('TG_LEDGER_UNAVAILABLE', 'the ledger does not answer'));
    const result = await call({
      break: ({ ledger }) => ({ ledger: ledgerWith(ledger, { reserve: down, release: down }) }),
    });
    expectRefused(result, 503, 'TG_LEDGER_UNAVAILABLE');
  });
  it('a lost answer: the hold is released by id', async () => {
    const result = await call({
      break: ({ ledger }) => ({
        ledger: ledgerWith(ledger, {
          async reserve(request) {
            await ledger.reserve(request);
            throw new Fault('TG_LEDGER_UNAVAILABLE', 'the answer was lost');
          },
        }),
      }),
    });
    expectRefused(result, 503, 'TG_LEDGER_UNAVAILABLE');
  });
  it('a lost answer and no release: it lapses as a charge', async () => {
    const down = failing(new Fault('TG_LEDGER_UNAVAILABLE', 'the ledger does not answer'));
    const {
      rig: after,
      sends,
      receipt,
    } = await call({
      break: ({ ledger }) => ({
        ledger: ledgerWith(ledger, {
          release: down,
          async reserve(request) {
            await ledger.reserve(request);
            return down();
          },
        }),
      }),
    });
    expect(sends).toBe(0);
    expect(receipt?.notes).toContain('the ledger did not release; the hold lapses as a charge');
    await after.lapse();
    const { held, spent } = await after.money();
    expect(held).toBe(0n);
    expect(spent).toBeGreaterThan(0n);
  });
});

describe('gather and evaluate', () => {
  const SMELLS =
    'policy: tollgate/v1\nname: test\ndefault: allow\nrules:\n  - { id: no-secrets, at: input, detect: [secrets], verdict: deny, reason: secret }\n';
  it('a detector that fails: rules take its kinds as found', async () => {
    const broken = {
      name: 'secrets',
      kinds: ['secret.any'],
      holdFrom: (text: string) => text.length,
      scan: () => {
        throw new Error('broken');
      },
    };
    const result = await call({
      policy: SMELLS,
      break: ({ detectors }) => {
        (detectors as Map<string, unknown>).set('secrets', broken);
        return {};
      },
    });
    expectRefused(result, 403, 'TG_POLICY_DENIED');
    expect(result.receipt?.actions.some((a) => a.rule === 'test/no-secrets' && a.decision === 'deny')).toBe(true);
  });
  it.each([
    ['a broken deny denies', 'default: allow', 'deny', 403],
    ['a broken allow does not allow', 'default: deny', 'allow', 403],
  ])('%s', async (_what, byDefault, verdict, status) => {
    const rule = `  - { id: odd, at: input, when: 'int(request.path) > 0', verdict: ${verdict}, reason: odd }\n`;
    const result = await call({ policy: `policy: tollgate/v1\nname: test\n${byDefault}\nrules:\n${rule}` });
    expect([result.seen.status, result.sends]).toEqual([status, 0]);
    expect(JSON.stringify(result.receipt?.actions)).toContain('runtime_error:condition_failed');
    expect(result.money.held).toBe(0n);
  });
});

describe('transform', () => {
  it('an edit with nowhere to land: denied', async () => {
    const policy =
      'policy: tollgate/v1\nname: test\ndefault: allow\nrules:\n  - { id: edit, at: pre_model_call, verdict: transform, transform: [{ set: /messages/7/content, to: x }] }\n';
    const result = await call({ policy });
    expect([result.seen.status, result.sends]).toEqual([403, 0]);
    expect(result.money.held).toBe(0n);
  });
});

describe('begin', () => {
  it('a record that cannot be written: 503, nothing carried, readiness gone', async () => {
    const full = failing(new Fault('TG_RECORD_UNAVAILABLE', 'the disk is full'));
    const {
      seen,
      sends,
      money,
      rig: after,
    } = await call({ break: ({ spool }) => ({ spool: { ...spool, append: full } }) });
    expect([seen.status, codeIn(seen.text()), sends]).toEqual([503, 'TG_RECORD_UNAVAILABLE', 0]);
    expect(money).toEqual({ spent: 0n, held: 0n });
    expect(after.spoolHealthy()).toBe(false);
    expect(after.alarms.length).toBeGreaterThan(0);
  });
});

describe('relay', () => {
  const unreachable = new Fault('TG_UPSTREAM_UNREACHABLE', 'nobody listens');
  it('before the first byte: tried again where it was certainly not served', async () => {
    const { seen, sends, receipt } = await call({ sendFails: [unreachable, unreachable] });
    expect([seen.status, sends]).toEqual([200, 3]);
    expect(receipt).toMatchObject({
      ending: 'completed',
      certainty: 'exact',
      notes: ['upstream attempt 2', 'upstream attempt 3'],
    });
  });
  it('before the first byte: given up after three, free of charge', async () => {
    const { seen, sends, receipt, money } = await call({ sendFails: [unreachable, unreachable, unreachable] });
    expect([seen.status, sends]).toEqual([502, 3]);
    expect(receipt).toMatchObject({ ending: 'upstream_error', cost_usd: '0' });
    expect(money).toEqual({ spent: 0n, held: 0n });
  });
  it('before the first byte: not tried again where it was perhaps served, and the hold is the charge', async () => {
    const { seen, sends, money } = await call({ sendFails: [new Fault('TG_UPSTREAM_BROKE', 'it broke off')] });
    expect([seen.status, sends]).toEqual([502, 1]);
    expect(money.held).toBe(0n);
    expect(money.spent).toBeGreaterThan(1_000_000n);
  });
  it.each([
    ['openai', STREAM, /data: \{"error":.*"code":"TG_UPSTREAM_BROKE"/],
    ['anthropic', CLAUDE, /event: error\ndata: \{"type":"error"/],
  ])('after the first byte: ends in the error form of %s and charges the hold', async (_tongue, scenario, form) => {
    const { seen, receipt, money } = await call({ scenario: { ...scenario, breaksAfter: 4 } });
    expect(seen.text()).toMatch(form);
    expect(receipt).toMatchObject({ ending: 'upstream_broke', fault: 'TG_UPSTREAM_BROKE', status: 200 });
    expect(money.held).toBe(0n);
    expect(money.spent).toBeGreaterThan(1_000_000n);
  });
  it('the client leaves: drained to exact usage', async () => {
    const { receipt, money } = await call({ scenario: STREAM, leaveAfter: 1 });
    expect(receipt).toMatchObject({ ending: 'client_left', certainty: 'exact', cost_usd: '0.0000725' });
    expect(money).toEqual({ spent: 72_500n, held: 0n });
  });
});

describe('review', () => {
  const WITHHOLD = (at: string): string =>
    `policy: tollgate/v1\nname: test\ndefault: allow\nrules:\n  - { id: no, at: ${at}, verdict: deny, reason: withheld, watch: whole }\n`;
  it('withheld before the first byte: refused, and charged for what was served', async () => {
    const { seen, receipt, money } = await call({ policy: WITHHOLD('output') });
    expect(seen.status).toBe(403);
    expect(seen.text()).not.toContain('done');
    expect(receipt).toMatchObject({ ending: 'denied', cost_usd: '0.00015' });
    expect(money.spent).toBe(150_000n);
  });
  it('withheld in a stream: cut in the error form, and not one word of it', async () => {
    const scenario = { ...STREAM, pieces: streamOf('openai', ['forbidden ', 'words'], []) };
    const { seen, receipt } = await call({ scenario, policy: WITHHOLD('output') });
    expect(seen.text()).not.toContain('forbidden');
    expect(seen.text()).toContain('"code":"TG_POLICY_DENIED"');
    expect(receipt).toMatchObject({ ending: 'cut', fault: 'TG_POLICY_DENIED' });
  });
});

describe('settle', () => {
  it('a ledger that does not answer: the hold lapses as a charge, and the receipt says so', async () => {
    const down = failing(new Fault('TG_LEDGER_UNAVAILABLE', 'the ledger does not answer'));
    const {
      seen,
      receipt,
      rig: after,
    } = await call({ break: ({ ledger }) => ({ ledger: ledgerWith(ledger, { settle: down }) }) });
    expect(seen.status).toBe(200);
    await after.lapse();
    const { spent, held } = await after.money();
    expect(held).toBe(0n);
    expect(receipt?.cost_usd).toBe((Number(spent) / 1e9).toString());
    expect(receipt?.notes).toContain('the ledger did not settle; the hold is the charge');
  });
});

describe('seal', () => {
  it('a record that is gone by then: alarm, and readiness false', async () => {
    const {
      seen,
      receipt,
      rig: after,
    } = await call({
      break: ({ spool }) => ({
        spool: {
          ...spool,
          append: (entry) =>
            entry.kind === 'seal'
              ? Promise.reject(new Fault('TG_RECORD_UNAVAILABLE', 'the disk is gone'))
              : spool.append(entry),
        },
      }),
    });
    expect(seen.status).toBe(200);
    expect(receipt).toBeUndefined();
    expect(after.spoolHealthy()).toBe(false);
    expect(after.alarms).toContain('a receipt could not be sealed; the gate is not ready until the record works again');
  });
});

/** The ledger with some of its verbs replaced. */
function ledgerWith(ledger: Ledger, verbs: Partial<Ledger>): Ledger {
  return new Proxy(ledger, { get: (target, name) => Reflect.get(name in verbs ? verbs : target, name) as unknown });
}
