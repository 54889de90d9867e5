import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConditionFault } from '../../../gateway/policy/condition/condition-fault.ts';
import { parseCondition } from '../../../gateway/policy/condition/parse-condition.ts';

const pieces = fc.array(
  fc.constantFrom(
    'a',
    'run.steps',
    '"a"',
    "'b'",
    '"""c"d"""',
    'r"\\s"',
    '"\\n"',
    '"\\q"',
    '(',
    ')',
    '[',
    ']',
    '&&',
    '==',
    '?',
    ':',
    '-',
    '!',
    ',',
    '.',
    ' ',
    '\n',
    '// x\n',
    '{',
    '}',
    'é',
    '\\',
    '"',
  ),
  { maxLength: 30 },
);

describe('the parser of conditions', () => {
  it('reads any text to its end or says where it stops', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string({ unit: 'binary' }),
          pieces.map((list) => list.join('')),
        ),
        (text) => {
          try {
            parseCondition(text);
          } catch (error) {
            expect(error).toBeInstanceOf(ConditionFault);
            const { at } = error as ConditionFault;
            expect(at >= 0 && at <= text.length).toBe(true);
          }
        },
      ),
      { numRuns: 1500 },
    );
  });

  it.each([
    ['"a\\s+"', 2, '`\\s` is no escape of CEL; write `\\\\s`, or put an `r` before the quotes'],
    ["'\\d'", 1, '`\\d` is no escape'],
    ['"\\xZZ"', 1, '`\\x` is no escape'],
    ['"\\u12"', 1, '`\\u` is no escape'],
    ['"\\400"', 1, '`\\4` is no escape'],
    ['"\\🙂"', 1, '`\\🙂` is no escape'],
    ['a == "x" && b == """y"\\s"""', 22, '`\\s` is no escape'],
    [`${'('.repeat(201)}a`, 0, "can't be read"],
  ])('refuses %s', (text, at, message) => {
    try {
      parseCondition(text);
    } catch (error) {
      expect((error as Error).message).toContain(message);
      if (at > 0) expect((error as ConditionFault).at).toBe(at);
      return;
    }
    throw new Error('it was taken');
  });

  it('takes long chains, every escape the specification has, and backslashes where they are plain', () => {
    expect(parseCondition(`a${' || a'.repeat(700)}`)).toMatchObject({ kind: 'call', name: '_||_' });
    const escapes = '"\\a\\b\\f\\n\\r\\t\\v\\\\\\?\\"\\\'\\`\\x41\\X41\\u0041\\U00000041\\101"';
    expect(parseCondition(escapes)).toMatchObject({ value: '\x07\b\f\n\r\t\v\\?"\'`AAAAA' });
    expect(parseCondition("r'\\s\\d'")).toMatchObject({ value: '\\s\\d' });
    expect(parseCondition('"it\'s" // not "\\s" here\n')).toMatchObject({ value: "it's" });
  });
});
