import { describe, expect, it } from 'vitest';
import { Fault } from '../../../gateway/domain/fault.ts';
import { createLog, type LogOptions } from '../../../gateway/telemetry/log.ts';

function capture(options: Partial<LogOptions> = {}): { log: ReturnType<typeof createLog>; lines: string[] } {
  const lines: string[] = [];
  const log = createLog({ level: 'info', ...options, to: { write: (line: string) => void lines.push(line) } });
  return { log, lines };
}

const only = (lines: string[]): Record<string, unknown> => {
  expect(lines.length).toBe(1);
  return JSON.parse(lines[0] ?? '') as Record<string, unknown>;
};

describe('createLog', () => {
  it('writes one JSON object a line', () => {
    const { log, lines } = capture();
    log.warn({ port: 8787, cost: 12n }, 'listening');
    const line = only(lines);
    expect(line).toEqual({ level: 'warn', time: line['time'], port: 8787, cost: '12', msg: 'listening' });
    expect(line['time']).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  });

  it('keeps quiet below its level', () => {
    const { log, lines } = capture({ level: 'error' });
    log.info({}, 'a');
    log.warn({}, 'b');
    log.error({}, 'c');
    expect(only(lines)['msg']).toBe('c');
  });

  it.each([
    'authorization',
    'Proxy-Authorization',
    'x-api-key',
    'apiKey',
    'api_key',
    'cookie',
    'set-cookie',
    'password',
    'client_secret',
    'access_token',
    'token',
    'credential',
    'private_key',
    'x-goog-api-key',
  ])('masks `%s` at any depth', (name) => {
    const { log, lines } = capture();
    log.info({ [name]: 'sesame', deep: { list: [{ [name]: ['sesame'] }] } }, 'x');
    expect(lines.join('')).not.toContain('sesame');
    expect(lines.join('')).toContain('[masked]');
  });

  it('leaves counts and names that only look alike', () => {
    const { log, lines } = capture();
    log.info({ tokens: 5, input_tokens: 6, key: 'key_01', secretary: 'ann', token_count: 1 }, 'x');
    expect(only(lines)).toMatchObject({ tokens: 5, input_tokens: 6, key: 'key_01', secretary: 'ann', token_count: 1 });
  });

  it.each([
    `Bearer ${'s'}esame123456`,
    `https://x/y?a=1&key=${'s'}esame123456&b=2`,
    `postgres://user:${'s'}esame123456@host/db`,
    `tg_${'s'}esame123456`,
    `sk-${'s'}esame123456`,
    `request with sk-ant-${'s'}esame123456 failed`,
  ])('masks a credential inside a text: %#', (text) => {
    const { log, lines } = capture();
    log.info({ note: text, err: new Error(text) }, 'x');
    expect(lines.join('')).not.toContain('esame123456');
  });

  it('says what an error was, with its cause, and never what a parser read', () => {
    const { log, lines } = capture();
    let cause: unknown;
    try {
      JSON.parse('the prompt text');
    } catch (error) {
      cause = error;
    }
    log.error({ err: new Fault('TG_INTERNAL', 'it broke', cause) }, 'x');
    expect(only(lines)['err']).toMatchObject({
      type: 'Fault',
      code: 'TG_INTERNAL',
      message: 'it broke',
      cause: { type: 'SyntaxError', message: 'the text could not be parsed' },
    });
    expect(lines.join('')).not.toContain('the prompt');
  });

  it('bounds what it writes and survives a cycle', () => {
    const { log, lines } = capture();
    const loop: Record<string, unknown> = { bytes: new Uint8Array(9), long: 'y'.repeat(100_000) };
    loop['self'] = loop;
    log.info(loop, 'x');
    expect(lines.join('').length).toBeLessThan(20_000);
    expect(only(lines)['bytes']).toBe('[9 bytes]');
  });

  it('writes for people where asked', () => {
    const { log, lines } = capture({ pretty: true });
    log.info({ port: 8787, on: 'x', authorization: 'sesame' }, 'listening');
    expect(lines.join('')).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} \S*info\S* listening port=8787 on=x authorization=\[masked\]\n$/,
    );
  });
});
