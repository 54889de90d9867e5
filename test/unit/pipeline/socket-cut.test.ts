import { describe, expect, it } from 'vitest';
import { Fault } from '../../../gateway/domain/fault.ts';
import type { Gateway } from '../../../gateway/pipeline/gateway.ts';
import { cutOf, sayingOf } from '../../../gateway/pipeline/socket-cut.ts';
import type { Trail } from '../../../gateway/pipeline/trail.ts';
import { harmless } from '../../../gateway/telemetry/harmless.ts';

function gateThatLogs() {
  const lines: string[] = [];
  const error = (fields: Readonly<Record<string, unknown>>) => lines.push(JSON.stringify(harmless(fields)));
  return { gate: { log: { error } } as unknown as Gateway, lines };
}

function parserError(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return error;
  }
}

describe('what fails on a socket', () => {
  it('is logged without the words that a parser quotes', () => {
    const { gate, lines } = gateThatLogs();
    const error = parserError('my secret prompt');
    expect(String(error)).toContain('secret');
    expect(cutOf(gate, { id: 'c1' } as unknown as Trail, error).code).toBe('TG_INTERNAL');
    expect(sayingOf(gate, error).code).toBe('TG_INTERNAL');
    expect(lines).toHaveLength(2);
    expect(lines.join()).toContain('"type":"SyntaxError"');
    expect(lines.join()).not.toContain('secret');
  });

  it('is said as it is where it is a refusal, and not logged', () => {
    const { gate, lines } = gateThatLogs();
    const fault = new Fault('TG_POLICY_DENIED', 'no', undefined, { rule: 'b/r', reason: 'why' });
    expect(sayingOf(gate, fault)).toMatchObject({
      code: 'TG_POLICY_DENIED',
      message: 'no',
      rule: 'b/r',
      reason: 'why',
    });
    expect(lines).toEqual([]);
  });
});
