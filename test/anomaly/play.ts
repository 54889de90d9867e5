import { setImmediate } from 'node:timers/promises';
import { nanoToUsd } from '../../gateway/domain/money.ts';
import { fakeReply, type Rig, rig, type Seen } from './rig.ts';
import type { Saboteur } from './sabotage.ts';
import { answerOf, bodyOf, DENIED, type Scenario, type Tongue, URLS } from './scenarios.ts';

export interface Played {
  readonly rig: Rig;
  readonly seen: Seen;
  readonly gone: boolean;
  /** what `exchange` itself threw */
  readonly thrown: unknown;
}

/** Plays one scenario to its end; the caller closes the rig. */
export async function play(scenario: Scenario, saboteur: Saboteur): Promise<Played> {
  const gone = new AbortController();
  const { reply, seen } = fakeReply(gone, () => scenario.leaves === 'reading' && gone.abort());
  const stage = await rig({
    saboteur,
    ...(scenario.limit !== undefined && { limit: scenario.limit }),
    ...(scenario.limits && { limits: scenario.limits }),
    async send({ signal }) {
      if (scenario.leaves === 'waiting') gone.abort();
      await undefined;
      signal.throwIfAborted();
      const answer = answerOf(scenario, signal);
      return { ...answer, body: saboteur.wrap('body', answer.body as AsyncGenerator<Uint8Array>, ['next']) };
    },
  });
  let thrown: unknown;
  try {
    await stage.carry(URLS[scenario.tongue], bodyOf(scenario), {}, reply);
  } catch (error) {
    thrown = error;
  }
  await setImmediate();
  return { rig: stage, seen, gone: gone.signal.aborted, thrown };
}

/** What is wrong with how a call ended; empty: nothing. `sealLost`: the spool itself refused the receipt. */
export async function faultsOf(
  scenario: Scenario,
  { rig: stage, seen, gone, thrown }: Played,
  strict: boolean,
  sealLost: boolean,
): Promise<string[]> {
  const wrong: string[] = [];
  const check = (ok: boolean, what: string): void => void (ok || wrong.push(what));
  check(thrown === undefined, `exchange threw ${String(thrown)}`);
  const seals = stage.seals();
  check(seals.length === (sealLost ? 0 : 1), `${seals.length} seals`);
  if (sealLost) check(!stage.spoolHealthy() && stage.alarms.length > 0, 'a lost receipt without an alarm');
  const sent = stage.journal.indexOf('sent');
  const begun = stage.journal.indexOf('begin');
  check(sent === -1 || (begun !== -1 && begun < sent), 'carried without a write-ahead line');
  check(stage.inFlight() === 0, `in flight: ${stage.inFlight()}`);
  const before = await stage.money();
  await stage.lapse();
  const { held, spent } = await stage.money();
  check(held === 0n, `a leaked hold of ${held}`);
  if (strict) check(before.held === 0n, `a hold of ${before.held} left to lapse`);
  if (strict && seals[0])
    check(
      seals[0].cost_usd === nanoToUsd(spent as never),
      `the receipt says $${seals[0].cost_usd}, the ledger $${nanoToUsd(spent as never)}`,
    );
  if (strict && begun === -1) check(spent === 0n, `charged ${spent} for what was never begun`);
  check(!seen.text().includes(DENIED), 'the denied call reached the client');
  if (!gone) wrong.push(...malformed(scenario, seen));
  return wrong;
}

/** A client must see a whole answer, an error in its own language, or a broken connection. */
function malformed(scenario: Scenario, seen: Seen): string[] {
  if (seen.ending === 'cut') return [];
  if (seen.ending === 'open') return ['the client was left without an end'];
  const text = seen.text();
  const length = seen.headers['content-length'];
  if (length !== undefined && Number(length) !== Buffer.byteLength(text))
    return ['content-length disagrees with the body'];
  if (seen.status >= 400) {
    if (scenario.status !== undefined && text === scenario.pieces.join('')) return [];
    return isError(scenario.tongue, text) ? [] : [`status ${seen.status} with a foreign body: ${text.slice(0, 80)}`];
  }
  if (!scenario.stream) return isWhole(scenario.tongue, text) ? [] : [`a truncated success: ${text.slice(0, 80)}`];
  const last = text.split('\n\n').filter(Boolean).at(-1) ?? '';
  const data =
    last
      .split('\n')
      .find((line) => line.startsWith('data: '))
      ?.slice(6) ?? '';
  const ended = scenario.tongue === 'openai' ? data === '[DONE]' : last.startsWith('event: message_stop');
  const failed = text.split('\n\n').some((event) =>
    isError(
      scenario.tongue,
      event
        .split('\n')
        .find((line) => line.startsWith('data: '))
        ?.slice(6) ?? '',
    ),
  );
  return ended || failed ? [] : [`a truncated stream ends with ${last.slice(0, 80)}`];
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    // no JSON: then it is no answer of any kind
    return {};
  }
}

function isError(tongue: Tongue, text: string): boolean {
  const body = parsed(text);
  const error = body['error'] as Record<string, unknown> | undefined;
  if (typeof error !== 'object' || typeof error['message'] !== 'string' || typeof error['type'] !== 'string')
    return false;
  return tongue === 'openai' || body['type'] === 'error';
}

function isWhole(tongue: Tongue, text: string): boolean {
  const body = parsed(text);
  if (tongue === 'anthropic') return typeof body['stop_reason'] === 'string';
  const choices = body['choices'] as readonly { finish_reason?: unknown }[] | undefined;
  return choices?.every((c) => typeof c.finish_reason === 'string') ?? false;
}
