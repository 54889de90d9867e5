import OpenAI, { APIError } from 'openai';
import type { Response as ApiResponse } from 'openai/resources/responses/responses';
import { describe, expect, it } from 'vitest';
import { openaiResponses } from '../../../gateway/dialects/openai-responses.ts';
import type { Json, JsonObject } from '../../../gateway/domain/json.ts';
import { StreamReview } from '../../../gateway/pipeline/stream-review.ts';
import type { Detector } from '../../../gateway/ports/detector.ts';
import {
  callEvents,
  DELETE,
  decode,
  encode,
  message,
  messageEvents,
  replay,
  request,
  rewritten,
  stream,
  TEXT,
  TWO_CALLS,
  WEATHER,
  whole,
} from './responses-streams.ts';

const NO = '[tollgate denied `delete_file`]';

/** What the official SDK's stream helper makes of a stream. */
function complete(body: string): Promise<ApiResponse> {
  const fetch = async (): Promise<Response> => new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  const client = new OpenAI({ apiKey: 'none', baseURL: 'http://gate/v1', fetch, maxRetries: 0 });
  return client.responses.stream({ model: 'm', input: 'hi' }).finalResponse();
}

const callsOf = ({ output }: ApiResponse): [string, string][] =>
  output.flatMap((item) => (item.type === 'function_call' ? [[item.name, item.arguments] as [string, string]] : []));

const numbers = (bodies: readonly JsonObject[]): Json[] => bodies.map((body) => body['sequence_number'] as Json);
const counted = (bodies: readonly JsonObject[]): number[] => bodies.map((_, i) => i);

describe('calls, read by the official SDK', () => {
  it('without changes are what the provider said', async () => {
    const { text } = rewritten(TWO_CALLS, {});
    expect(text).toBe(TWO_CALLS);
    expect(callsOf(await complete(text))).toEqual([
      ['weather', '{"city":"Oslo"}'],
      ['delete_file', '{"path":"/etc/passwd"}'],
    ]);
  });

  it.each(['output/1', 'output/2'])('a denied one (%s) is a message everywhere, the other stays', async (slot) => {
    const { text, bodies, reader } = rewritten(TWO_CALLS, { denied: { [slot]: NO } });
    const [gone, kept] = slot === 'output/1' ? [WEATHER, DELETE] : [DELETE, WEATHER];
    expect(text).not.toContain(`"${gone['call_id']}"`);
    expect(text).not.toContain(`"${gone['name']}"`);
    expect(numbers(bodies)).toEqual(counted(bodies));
    const whole = await complete(text);
    expect(callsOf(whole)).toEqual([[kept['name'], kept['arguments']]]);
    expect(whole.output).toHaveLength(3);
    expect(whole.output_text).toBe(`Let me look.${NO}`);
    expect(whole.usage?.total_tokens).toBe(30);
    expect(reader.mark().canonical).toContain(JSON.stringify(`Let me look.${NO}`));
    expect(reader.mark().canonical).not.toContain(`["${gone['name']}`);
  });

  it('all denied leave a reply of words', async () => {
    const { text } = rewritten(TWO_CALLS, { denied: { 'output/1': 'no', 'output/2': 'neither' } });
    const { output, output_text } = await complete(text);
    expect(output.map(({ type }) => type)).toEqual(['message', 'message', 'message']);
    expect(output_text).toBe('Let me look.noneither');
    expect(new Set(output.map((item) => 'id' in item && item.id)).size).toBe(3);
  });

  it('an edited one has the new arguments everywhere, in one piece', async () => {
    const { text, bodies } = rewritten(TWO_CALLS, { edited: { 'output/2': { path: '/tmp/x' } } });
    expect(text).not.toContain('/etc/passwd');
    expect(text.split('"{\\"path\\":\\"/tmp/x\\"}"')).toHaveLength(5);
    expect(numbers(bodies)).toEqual(counted(bodies));
    expect(callsOf(await complete(text))).toEqual([
      ['weather', '{"city":"Oslo"}'],
      ['delete_file', '{"path":"/tmp/x"}'],
    ]);
  });

  it('a denied call of two events becomes all events of a message', async () => {
    const item = {
      id: 'lsh_dddddddd',
      type: 'local_shell_call',
      status: 'completed',
      call_id: 'call_dddddddd',
      action: { type: 'exec', command: ['rm', '-rf', '/'], env: {} },
    };
    const events = [
      {
        type: 'response.output_item.added',
        output_index: 0,
        item: { ...item, action: { ...item.action, command: [] } },
      },
      { type: 'response.output_item.done', output_index: 0, item },
    ];
    const text = whole(events, [item]);
    const { text: sent, bodies } = rewritten(text, { denied: { 'output/0': NO } });
    expect(sent).not.toMatch(/dddddddd".*exec|rm|call_dddddddd/);
    expect(numbers(bodies)).toEqual(counted(bodies));
    expect((await complete(sent)).output_text).toBe(NO);
    const { text: other } = rewritten(text, { edited: { 'output/0': { type: 'exec', command: ['ls'], env: {} } } });
    expect(other).not.toContain('-rf');
    expect((await complete(other)).output[0]).toMatchObject({ action: { command: ['ls'] } });
  });

  it('a computer call takes only members of its own', () => {
    const item = {
      id: 'cu_1',
      type: 'computer_call',
      call_id: 'call_computer',
      status: 'completed',
      actions: [{ type: 'click', x: 1, y: 2 }],
    };
    const text = whole([{ type: 'response.output_item.done', output_index: 0, item }], [item]);
    const { frames } = replay(text);
    expect(frames.flatMap(({ completes }) => completes)).toMatchObject([
      { tool: 'computer', args: { actions: [{ type: 'click' }] } },
    ]);
    expect(rewritten(text, { edited: { 'output/0': { actions: [{ type: 'wait' }] } } }).text).not.toContain('click');
    expect(() => rewritten(text, { edited: { 'output/0': { id: 'x' } } })).toThrow(RangeError);
  });

  it('an event that cannot be read is not sent once something was denied', () => {
    const text = `${stream(callEvents(0, DELETE, ['{}']))}event: response.completed\ndata: {"call_bbbbbbbb\n\n`;
    expect(() => rewritten(text, { denied: { 'output/0': NO } })).toThrow(RangeError);
    const twice = stream(callEvents(0, DELETE, [])).replace('"arguments":""', '"arguments":"","arguments":"x"');
    expect(() => rewritten(twice, { edited: { 'output/0': { a: 1 } } })).toThrow(/cannot be edited/);
  });
});

describe('texts', () => {
  const secret = message('s0000000', 'the key is abcd-1234 yes');
  const text = whole(messageEvents(0, secret, ['the key is ab', 'cd-1234', ' yes']), [secret], {
    output_text: 'the key is abcd-1234 yes',
  });

  it('redacted in their pieces are redacted in every repetition, log probabilities too', async () => {
    let first = true;
    const change = (): string => {
      const said = first ? 'the key is [gone] yes' : '';
      first = false;
      return said;
    };
    const { text: sent, bodies, reader } = rewritten(text, { texts: { 'output/0/text/0': change } });
    expect(sent).not.toMatch(/abcd|1234|"token"/);
    expect(numbers(bodies)).toEqual(counted(bodies));
    expect(bodies.filter(({ type }) => type === 'response.output_text.delta')).toHaveLength(1);
    const { output_text } = await complete(sent);
    expect(output_text).toBe('the key is [gone] yes');
    expect(reader.text()).toBe('the key is abcd-1234 yes');
    expect(reader.mark().canonical).toContain('[gone]');
  });

  /** A nose that looks for `abcd-1234` and waits where it may have begun. */
  const nose = {
    name: 'test',
    holdFrom: (seen: string) => {
      for (let n = 8; n > 0; n -= 1) if (seen.endsWith('abcd-1234'.slice(0, n))) return seen.length - n;
      return seen.length;
    },
    scan: (seen: string) =>
      [...seen.matchAll(/abcd-1234/g)].map(({ index }) => ({ kind: 'k', start: index, end: index + 9 })),
  } as unknown as Detector;

  it.each([1, 5, 1000])('the gate finds it over frames and keeps the rest flowing (chunks of %d)', async (size) => {
    const events = [
      ...messageEvents(0, secret, [...'the key is abcd-1234 yes']),
      ...callEvents(1, DELETE, ['{"path":', '"/etc/passwd"}']),
    ];
    const bytes = encode(whole(events, [secret, DELETE]));
    const reader = openaiResponses.openStream(request());
    const review = new StreamReview(reader, {
      holdFinish: false,
      ruleCall: () => ({ kind: 'deny', text: NO }),
      detectors: [nose],
      whole: false,
      ruleText: (seen) => ({ text: seen.replaceAll('abcd-1234', '[gone]') }),
    });
    const out: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += size)
      out.push(...review.take(reader.push(bytes.subarray(at, at + size))));
    out.push(...review.take(reader.end()), ...review.end());
    const sent = decode(...out);
    expect(sent).not.toMatch(/abcd-|1234|passwd|call_bbbbbbbb/);
    const { output_text, output } = await complete(sent);
    expect(output_text).toBe(`the key is [gone] yes${NO}`);
    expect(output).toHaveLength(2);
  });

  it('a call that is held does not hold an item beside it, but what begins behind it', () => {
    const pending = callEvents(0, WEATHER, ['{"city":', '"Oslo"}']);
    const beside = messageEvents(1, TEXT, ['Let me ', 'look.']);
    const mixed = [beside[0], pending[0], beside[1], beside[2], pending[1], beside[3]] as JsonObject[];
    const reader = openaiResponses.openStream(request());
    const review = new StreamReview(reader, {
      holdFinish: false,
      ruleCall: () => ({ kind: 'pass' }),
      detectors: [],
      whole: false,
      ruleText: (seen) => ({ text: seen }),
    });
    const first = decode(...review.take(reader.push(encode(stream(mixed)))));
    expect(first).toContain('look.');
    expect(first).not.toContain('call_aaaaaaaa');
    const next = messageEvents(2, message('later000', 'later'), ['later']);
    expect(decode(...review.take(reader.push(encode(stream(next)))))).toBe('');
    const rest = decode(...review.take(reader.push(encode(stream(pending.slice(2))))));
    expect(rest.indexOf('call_aaaaaaaa')).toBeGreaterThan(-1);
    expect(rest.indexOf('later')).toBeGreaterThan(rest.indexOf('call_aaaaaaaa'));
  });
});

describe('what the gate says itself', () => {
  const saying = { code: 'TG_POLICY_DENIED', status: 403, message: 'no more', rule: 'b/r' } as const;

  it('in mid-stream is an APIError of the SDK', async () => {
    const cut = TWO_CALLS.slice(0, TWO_CALLS.indexOf('event: response.output_text.done'));
    const error = await complete(cut + decode(openaiResponses.errorEvents(saying))).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ code: 'TG_POLICY_DENIED', message: 'no more' });
  });

  it('has the members of the API’s own error event', () => {
    expect(JSON.parse(decode(openaiResponses.errorEvents(saying)).split('data: ')[1] as string)).toMatchObject({
      type: 'error',
      code: 'TG_POLICY_DENIED',
      message: 'no more',
      param: null,
    });
  });
});
