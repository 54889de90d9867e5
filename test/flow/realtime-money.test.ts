import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openHalts } from '../../gateway/stores/embedded/open-embedded.ts';
import { systemClock } from '../../gateway/telemetry/clock.ts';
import { openRealtime, type RealtimeGate, userItem } from '../support/realtime-gate.ts';
import {
  REALTIME_COST,
  REALTIME_USAGE,
  responseCreated,
  spokenAnswer,
  writtenAnswer,
} from '../support/socket-upstream.ts';
import { stopwatch } from '../support/stopwatch.ts';

let at: RealtimeGate;

afterEach(() => at.remove());

/** The whole window at the price of sound, and the longest answer in sound: what a call with sound can cost. */
const WORST = (32_000 * 32 + 4096 * 64) / 1e6;
const budget = (limit_usd: number) => ({ budgets: [{ scope: 'run', limit_usd }] });
const CREATE = { type: 'response.create' };

describe('the money of a realtime socket', () => {
  it('is held before a response is asked for, and comes back with its usage', async () => {
    at = await openRealtime(
      { config: budget(2) },
      Array.from({ length: 4 }, (_, i) => writtenAnswer(`resp_${i}`, ['ok'])),
    );
    const client = await at.client();
    for (let i = 0; i < 4; i += 1) {
      client.say(userItem('hi'));
      client.say(CREATE);
      await client.next('response.done');
    }
    client.socket.close();
    const calls = await at.responses(5);
    expect(calls.map(({ ending }) => ending)).toEqual(Array(4).fill('completed'));
    expect(calls.reduce((sum, { cost_usd }) => sum + Number(cost_usd), 0)).toBeCloseTo(4 * REALTIME_COST, 9);
  });

  it('where it is short, the request is refused as an error event and the socket stays', async () => {
    at = await openRealtime({ config: budget(0.02) }, [writtenAnswer('resp_1', ['ok'])]);
    const client = await at.client();
    client.say({ type: 'response.create', event_id: 'big' });
    expect((await client.next('error')).error).toMatchObject({
      event_id: 'big',
      code: 'TG_BUDGET_EXCEEDED',
      rule: 'budget/run',
    });
    client.say({ type: 'response.create', response: { max_output_tokens: 50 } });
    await client.next('response.done');
    expect(at.provider().heard).toHaveLength(1);
    client.socket.close();
    expect((await at.responses(3)).map(({ ending }) => ending)).toEqual(['denied', 'completed']);
  });

  it('is clamped into the request where less is left than was asked for', async () => {
    at = await openRealtime({ config: { ...budget(0.2), limits: { shutdown_s: 0, min_useful_tokens: 16 } } }, [
      writtenAnswer('resp_1', ['ok']),
    ]);
    const client = await at.client();
    client.say(CREATE);
    await client.next('response.done');
    const sent = JSON.parse(at.provider().heard[0] ?? '') as { response: { max_output_tokens: number } };
    expect(sent.response.max_output_tokens).toBeGreaterThan(100);
    expect(sent.response.max_output_tokens).toBeLessThan(4096);
    client.socket.close();
    expect((await at.responses(2))[0]).toMatchObject({ ending: 'completed', cost_status: 'exact' });
  });

  it('a socket that closes in mid-response keeps the hold as the charge', async () => {
    at = await openRealtime({}, [spokenAnswer('resp_1', ['Hel', 'lo']).slice(0, 6)]);
    const client = await at.client();
    client.say({ type: 'input_audio_buffer.append', audio: 'AAAA' });
    client.say({ type: 'input_audio_buffer.commit' });
    at.provider().say({ type: 'input_audio_buffer.committed', item_id: 'i1' });
    await client.next('input_audio_buffer.committed');
    client.say(CREATE);
    await client.next('response.output_audio.delta');
    const inFlight = async () =>
      /^tollgate_in_flight_calls (\d+)$/m.exec(await (await fetch(`${at.gate.office}/metrics`)).text())?.[1];
    expect(await inFlight()).toBe('1');
    client.socket.terminate();
    const [call] = await at.responses(2);
    expect(await inFlight()).toBe('0');
    expect(call).toMatchObject({ ending: 'client_left' });
    expect(Number(call?.cost_usd)).toBeCloseTo(WORST, 6);
    await expect.poll(() => at.provider().closed).toBeDefined();
  });

  it('a provider that dies in mid-response leaves the hold as the charge and says so', async () => {
    at = await openRealtime({}, [writtenAnswer('resp_1', ['Hel', 'lo']).slice(0, 6)]);
    const client = await at.client();
    client.say(CREATE);
    await client.next('response.output_text.delta');
    at.provider().socket.terminate();
    expect(await client.closed).toMatchObject({ code: 1011, reason: 'the provider broke the socket off' });
    const [call] = await at.responses(2);
    expect(call).toMatchObject({ ending: 'upstream_broke' });
    expect(Number(call?.cost_usd)).toBeGreaterThan(0.2);
  });

  it('a request that the provider refuses costs nothing', async () => {
    at = await openRealtime({
      config: budget(2),
      onEvent: (provider, event) => {
        if (event.type !== 'response.create') return;
        if (provider.heard.length === 1) provider.say(responseCreated('resp_1'));
        else
          provider.say({
            type: 'error',
            event_id: 'event_x',
            error: {
              type: 'invalid_request_error',
              code: 'conversation_already_has_active_response',
              message: 'busy',
              param: null,
              event_id: event['event_id'] ?? null,
            },
          });
      },
    });
    const client = await at.client();
    client.say(CREATE);
    await client.next('response.created');
    client.say({ type: 'response.create', event_id: 'second' });
    expect((await client.next('error')).error).toMatchObject({
      code: 'conversation_already_has_active_response',
      event_id: 'second',
    });
    for (const event of writtenAnswer('resp_1', ['ok']).slice(1)) at.provider().say(event);
    await client.next('response.done');
    client.socket.close();
    const calls = await at.responses(3);
    expect(calls.map(({ ending, cost_usd }) => [ending, Number(cost_usd) > 0])).toEqual([
      ['upstream_error', false],
      ['completed', true],
    ]);
  });

  it('on twenty sockets at once is never more than the budget', async () => {
    const limit = 0.05;
    at = await openRealtime({
      config: budget(limit),
      // a moment in which every other socket asks too
      onEvent: (provider, event) => {
        if (event.type !== 'response.create') return;
        setTimeout(() => {
          for (const one of writtenAnswer(`resp_${at.upstream.sockets.indexOf(provider)}`, ['ok'])) provider.say(one);
        }, 300);
      },
    });
    const clients = await Promise.all(Array.from({ length: 20 }, () => at.client()));
    const ends = await Promise.all(
      clients.map((client) => {
        client.say({ type: 'response.create', response: { max_output_tokens: 60 } });
        return Promise.race([client.next('response.done'), client.next('error')]);
      }),
    );
    for (const client of clients) client.socket.close();
    const calls = await at.responses(40);
    const done = ends.filter(({ type }) => type === 'response.done').length;
    // each is held at its worst case: some have room at once, not all
    expect(done).toBeGreaterThanOrEqual(4);
    expect(calls.filter(({ ending }) => ending === 'completed')).toHaveLength(done);
    expect(calls.filter(({ ending }) => ending === 'denied')).toHaveLength(20 - done);
    expect(calls.reduce((sum, { cost_usd }) => sum + Number(cost_usd), 0)).toBeLessThanOrEqual(limit);
  });

  it('a spent budget refuses the next socket with 402', async () => {
    const more = {
      ...REALTIME_USAGE,
      output_tokens: 430,
      total_tokens: 562,
      output_token_details: { text_tokens: 30, audio_tokens: 400 },
    };
    at = await openRealtime({ config: budget(0.012) }, [writtenAnswer('resp_1', ['ok'], more)]);
    const client = await at.client();
    client.say({ type: 'response.create', response: { max_output_tokens: 20 } });
    await client.next('response.done');
    client.socket.close();
    await at.responses(2);
    await expect(at.client()).rejects.toMatchObject({
      status: 402,
      body: { error: { code: 'TG_BUDGET_EXCEEDED', rule: 'budget/run' } },
    });
    await expect(at.client('another')).resolves.toBeDefined();
  });
});

describe('a response that the provider begins by itself', () => {
  it('is a call like any other', async () => {
    at = await openRealtime();
    const client = await at.client();
    await client.next('session.created');
    for (const event of spokenAnswer('resp_vad', ['hello'])) at.provider().say(event);
    await client.next('rate_limits.updated');
    client.socket.close();
    const [call] = await at.responses(2);
    expect(call).toMatchObject({ ending: 'completed', cost_status: 'exact', step: 1 });
    expect(Number(call?.cost_usd)).toBeCloseTo(REALTIME_COST, 9);
    expect(call?.actions.map(({ point }) => point)).toContain('pre_model_call');
  });

  it('without money is cancelled and withheld, and what it used is charged', async () => {
    at = await openRealtime({ config: budget(0.005) });
    const client = await at.client();
    await client.next('session.created');
    const events = spokenAnswer('resp_vad', ['hello']);
    at.provider().say(events[0] as never);
    expect(await at.provider().next('response.cancel')).toMatchObject({ response_id: 'resp_vad' });
    for (const event of events.slice(1)) at.provider().say(event);
    expect((await client.next('error')).error).toMatchObject({ code: 'TG_BUDGET_EXCEEDED' });
    expect(await client.next('response.done')).toMatchObject({
      response: { id: 'resp_vad', status: 'failed', output: [] },
    });
    await client.next('rate_limits.updated');
    expect(client.heard.join()).not.toContain('hello');
    client.socket.close();
    const [call] = await at.responses(2);
    expect(call).toMatchObject({ ending: 'cut', fault: 'TG_BUDGET_EXCEEDED' });
    expect(Number(call?.cost_usd)).toBeCloseTo(REALTIME_COST, 9);
    await expect(at.client()).rejects.toMatchObject({ status: 402 });
  });

  it.each([
    [
      'gpt-4o-transcribe',
      {
        type: 'tokens',
        total_tokens: 60,
        input_tokens: 50,
        output_tokens: 10,
        input_token_details: { text_tokens: 0, audio_tokens: 50 },
      },
      (50 * 6 + 10 * 10) / 1e6,
    ],
    ['whisper-1', { type: 'duration', seconds: 12 }, 12 * 0.0001],
  ])(
    'and the transcription of what was said by %s is charged beside it, at its own price',
    async (model, usage, cost) => {
      at = await openRealtime();
      const client = await at.client();
      const audio = { input: { transcription: { model } } };
      at.provider().say({ type: 'session.updated', session: { type: 'realtime', model: 'gpt-realtime', audio } });
      const type = 'conversation.item.input_audio_transcription.completed';
      at.provider().say({ type, item_id: 'i1', content_index: 0, transcript: 'hello', usage });
      await client.next(type);
      client.socket.close();
      const [call] = await at.responses(2);
      expect(call).toMatchObject({ model, ending: 'completed', cost_status: 'exact' });
      expect(Number(call?.cost_usd)).toBeCloseTo(cost, 9);
    },
  );
});

describe('a halt', () => {
  it('cuts a silent socket within a second, with a code and the reason', async () => {
    at = await openRealtime({}, [writtenAnswer('resp_1', ['Hel', 'lo']).slice(0, 6)]);
    const client = await at.client();
    client.say(CREATE);
    await client.next('response.output_text.delta');
    const other = await at.client('other');
    const outside = openHalts(join(at.gate.folder, 'data', 'tollgate.db'), systemClock());
    const took = stopwatch();
    outside.halts.add('run', 'local/open/r');
    outside.close();
    const end = await client.closed;
    expect(end).toMatchObject({ code: 1008, reason: 'tollgate halted this run' });
    expect(took()).toBeLessThan(1000);
    expect(client.events.at(-1)).toMatchObject({ type: 'error', error: { rule: 'halt/run', reason: 'halted' } });
    const [call] = await at.responses(2);
    expect(call).toMatchObject({ ending: 'cut', fault: 'TG_POLICY_DENIED' });
    expect(Number(call?.cost_usd)).toBeGreaterThan(0);
    expect(other.socket.readyState).toBe(other.socket.OPEN);
    await expect(at.client()).rejects.toMatchObject({ status: 403, body: { error: { rule: 'halt/run' } } });
    await expect.poll(() => at.provider().closed).toBeDefined();
  });

  it('cuts a client that takes nothing', async () => {
    at = await openRealtime({}, [[responseCreated('resp_1')]]);
    const client = await at.client();
    client.say(CREATE);
    await client.next('response.created');
    client.socket.pause();
    const delta = {
      type: 'response.output_audio.delta',
      response_id: 'resp_1',
      item_id: 'i',
      output_index: 0,
      content_index: 0,
      delta: 'A'.repeat(200_000),
    };
    for (let i = 0; i < 100; i += 1) at.provider().say(delta);
    await new Promise((r) => setTimeout(r, 300));
    // most of it waits at the provider: the gate does not hold it
    expect(at.provider().socket.bufferedAmount).toBeGreaterThan(5_000_000);
    const outside = openHalts(join(at.gate.folder, 'data', 'tollgate.db'), systemClock());
    const took = stopwatch();
    outside.halts.add('run', 'local/open/r');
    outside.close();
    await at.responses(2);
    expect(took()).toBeLessThan(1500);
  });

  it('by a rule, of the very socket that it is said on', async () => {
    const policy = `
policy: tollgate/v1
name: test
default: allow
rules:
  - id: enough
    at: input
    when: text.contains("stop everything")
    verdict: deny
    halt: run
`;
    at = await openRealtime({ policy });
    const client = await at.client();
    client.say(userItem('stop everything'));
    expect(await client.closed).toMatchObject({ code: 1008 });
    expect(client.events.at(-1)).toMatchObject({ type: 'error', error: { code: 'TG_POLICY_DENIED' } });
    expect(at.provider().heard).toEqual([]);
  });
});

describe('the end of the gate', () => {
  it('closes idle sockets with 1001', async () => {
    at = await openRealtime({ config: { limits: { shutdown_s: 5 } } });
    const client = await at.client();
    const took = stopwatch();
    await at.gate.stop();
    expect(await client.closed).toMatchObject({ code: 1001, reason: 'this gate is shutting down' });
    expect(took()).toBeLessThan(2500);
  });

  it('lets a response end first, and takes no further one', async () => {
    at = await openRealtime({ config: { limits: { shutdown_s: 5 } } });
    const client = await at.client();
    client.say(CREATE);
    await at.provider().next('response.create');
    const events = writtenAnswer('resp_1', ['ok'], REALTIME_USAGE);
    at.provider().say(events[0] as never);
    await client.next('response.created');
    const stopped = at.gate.stop();
    client.say({ type: 'response.create', event_id: 'late' });
    expect((await client.next('error')).error).toMatchObject({ code: 'TG_DRAINING', event_id: 'late' });
    for (const event of events.slice(1)) at.provider().say(event);
    await client.next('response.done');
    expect(await client.closed).toMatchObject({ code: 1001 });
    await stopped;
  });
});
