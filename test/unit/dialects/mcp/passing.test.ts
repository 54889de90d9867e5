import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonGate } from '../../../../gateway/dialects/mcp/json-gate.ts';
import { mcpWire } from '../../../../gateway/dialects/mcp/wire.ts';
import { Fault } from '../../../../gateway/domain/fault.ts';
import { JsonFault, parseStrict } from '../../../../gateway/domain/json-text.ts';

const LIMITS = { depth: 12, nodes: 10_000 };
const encoder = new TextEncoder();

/** cuts a text where it is told to */
const cut = (text: string, places: readonly number[]): string[] => {
  const at = [0, ...places.map((p) => p % (text.length + 1)).sort((a, b) => a - b), text.length];
  return at.slice(1).map((end, i) => text.slice(at[i], end));
};

function passes(pieces: readonly string[]): boolean {
  const gate = new JsonGate(LIMITS, { name: () => {}, scalar: () => {} });
  try {
    for (const piece of pieces) gate.push(piece);
    gate.end();
    return true;
  } catch (error) {
    if (error instanceof JsonFault) return false;
    throw error;
  }
}

function parses(text: string): boolean {
  try {
    const { value } = parseStrict(text, LIMITS);
    return isWhole(value);
  } catch (error) {
    if (error instanceof JsonFault) return false;
    throw error;
  }
}

const isWhole = (value: unknown): boolean => {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([name, inner]) => name.isWellFormed() && isWhole(inner));
};

const noise = fc
  .array(fc.constantFrom(...'{}[]":,\\u0123dD89af-+.eE \n"tnull'.split('')), { maxLength: 24 })
  .map((c) => c.join(''));
const mangled = fc
  .tuple(fc.json(), fc.nat(), noise)
  .map(([json, at, more]) => json.slice(0, at % (json.length + 1)) + more + json.slice(at % (json.length + 1)));

describe('JSON that is checked while it passes', () => {
  it('is accepted exactly where the strict parser accepts it, however it is cut', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), noise, mangled), fc.array(fc.nat(), { maxLength: 6 }), (text, places) => {
        expect(passes(cut(text, places))).toBe(parses(text));
      }),
      { numRuns: 3_000 },
    );
  });

  it.each([
    ['{"a":1,"a":2}', false],
    ['{"a":1,"\\u0061":2}', false],
    ['{"__proto__":1}', false],
    ['{"a":{"a":1}}', true],
    ['[1,]', false],
    ['{"a":1,}', false],
    ['01', false],
    ['-', false],
    ['1 2', false],
    ['"\\ud83d\\ude00"', true],
    ['"\\ud83d"', false],
    ['"\\ude00"', false],
    ['"\\ud83d\\u0041"', false],
    ['"a\nb"', false],
    ['9007199254740993', true],
    ['[[[[[[[[[[[[[1]]]]]]]]]]]]]', false],
    ['', false],
  ])('%s', (text, answer) => {
    expect(passes([text])).toBe(answer);
    expect(passes([...text])).toBe(answer);
    expect(parses(text)).toBe(answer);
  });
});

function answer(text: string, size = 5): string {
  const passing = mcpWire.openPassing('7', { depth: 64, nodes: 1_000 });
  const bytes = encoder.encode(text);
  try {
    for (let i = 0; i < bytes.length; i += size) passing.push(bytes.subarray(i, i + size));
    return passing.end().failed ? 'failed' : 'fine';
  } catch (error) {
    if (error instanceof Fault && error.code === 'TG_UPSTREAM_UNREADABLE') return 'refused';
    throw error;
  }
}

describe('an answer that passes while it is read', () => {
  it.each([
    ['a result, its id first', '{"jsonrpc":"2.0","id":7,"result":{"content":[]}}', 'fine'],
    ['a result, its id last', '{"result":{"content":[{"text":"é"}]},"jsonrpc":"2.0","id":7}', 'fine'],
    ['a failed one', '{"jsonrpc":"2.0","id":7,"result":{"isError":true,"content":[]}}', 'failed'],
    ['of another request', '{"jsonrpc":"2.0","id":8,"result":{}}', 'refused'],
    ['whose id is a text', '{"jsonrpc":"2.0","id":"7","result":{}}', 'refused'],
    ['without id', '{"jsonrpc":"2.0","result":{}}', 'refused'],
    ['an error', '{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":""}}', 'refused'],
    ['a request', '{"jsonrpc":"2.0","id":7,"method":"ping"}', 'refused'],
    ['both', '{"jsonrpc":"2.0","id":7,"result":{},"error":{}}', 'refused'],
    ['one that asks for input', '{"jsonrpc":"2.0","id":7,"result":{"resultType":"input_required"}}', 'refused'],
    ['one with a state', '{"jsonrpc":"2.0","id":7,"result":{"requestState":"x"}}', 'refused'],
    ['a complete one', '{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete"}}', 'fine'],
    ['one with a variant', '{"jsonrpc":"2.0","id":7,"result":{"Content":[]}}', 'refused'],
    ['cut short', '{"jsonrpc":"2.0","id":7,"result":{', 'refused'],
  ])('%s', (_, text, told) => {
    for (const size of [1, 3, 1_000]) expect(answer(text, size)).toBe(told);
  });

  it('broken UTF-8', () => {
    const passing = mcpWire.openPassing('7', { depth: 64, nodes: 1_000 });
    expect(() => passing.push(Uint8Array.from([0x7b, 0x22, 0xff]))).toThrow(Fault);
  });
});

describe('an event that passes line by line', () => {
  it('gives the same data and the same bytes as the whole event, however it is cut', () => {
    const line = fc.constantFrom(
      'id: 4',
      'event: message',
      ': hm',
      'data: {"a":',
      'data:1}',
      'data',
      'retry:5',
      'data: ',
      'data:  x',
    );
    const end = fc.constantFrom('\n', '\r\n');
    fc.assert(
      fc.property(
        fc.array(line, { minLength: 1 }),
        end,
        fc.array(fc.nat(), { maxLength: 5 }),
        (lines, newline, places) => {
          const text = lines.map((l) => l + newline).join('') + newline;
          const [whole] = mcpWire.openEvents(10_000).push(encoder.encode(text));
          const reader = mcpWire.openEvents(10_000);
          let data = '';
          let bytes = '';
          let after: string | undefined;
          for (const piece of cut(`${text}data: next`, places)) {
            if (after !== undefined) {
              after += piece;
              continue;
            }
            const passed = reader.pass(encoder.encode(piece));
            data += passed.data.map((d) => new TextDecoder().decode(d)).join('');
            bytes += new TextDecoder().decode(passed.bytes);
            if (passed.after) after = new TextDecoder().decode(passed.after);
          }
          expect(bytes + (after ?? '')).toBe(`${text}data: next`);
          expect(data.replace(/\n$/, '')).toBe(whole?.data ?? '');
        },
      ),
    );
  });
});
