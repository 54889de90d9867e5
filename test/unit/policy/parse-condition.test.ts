import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Ast, firstOffset } from '../../../gateway/policy/condition/condition-ast.ts';
import { ConditionFault } from '../../../gateway/policy/condition/condition-fault.ts';
import { parseCondition } from '../../../gateway/policy/condition/parse-condition.ts';
import { referenceAst } from './_reference-parser.ts';

/** Two signs in a row undo each other for the reference, also through brackets. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const ast = Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)])) as {
    name?: string;
    args?: { name?: string; kind?: string; args?: unknown[] }[];
  };
  const [inner] = ast.args ?? [];
  const undone = (ast.name === '-_' || ast.name === '!_') && inner?.kind === 'call' && inner.name === ast.name;
  return undone ? inner?.args?.[0] : ast;
}

/** A tree without its places, ints as text. */
const shape = (ast: Ast): string =>
  JSON.stringify(plain(ast), (key, value: unknown) =>
    key === 'at' ? undefined : typeof value === 'bigint' ? `${value}n` : value,
  );

const attempt = (parse: (text: string) => Ast, text: string): string | undefined => {
  try {
    return shape(parse(text));
  } catch {
    return undefined;
  }
};

const NAMES = ['a', 'args', 'run', 'x', '_y1', 'in_', 'has', 'lists'];
const gap = fc.constantFrom('', ' ', '\n', '\t ', ' // why\n');
const literal = fc.oneof(
  fc.maxSafeInteger().map(String),
  fc.constantFrom('0x1F', '1.5', '.5', '1e3', '2.5E-3', '-1', '-0.5', 'true', 'false', 'null', '-9223372036854775808'),
  fc.constantFrom(
    '"a"',
    "'b'",
    '"""c"d"""',
    "'''e\nf'''",
    'r"\\s\\d+"',
    "R'\\'",
    '"\\n\\x41\\u00e9\\U0001F642\\101\\\\"',
    '"//"',
    '"é🙂"',
  ),
);
const expression = fc.letrec<{ expr: string }>((tie) => {
  const expr = tie('expr');
  const pair = fc.tuple(expr, gap, gap, expr);
  return {
    expr: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      fc.oneof(fc.constantFrom(...NAMES), literal),
      fc
        .tuple(fc.constantFrom('+', '-', '*', '/', '%', '<', '<=', '>', '>=', '==', '!=', '&&', '||', ' in '), pair)
        .map(([op, [a, g, h, b]]) => `${a}${g}${op}${h} ${b}`),
      fc
        .array(expr, { minLength: 2, maxLength: 6 })
        .chain((terms) => fc.constantFrom('&&', '||').map((op) => terms.join(op))),
      fc.tuple(fc.constantFrom('!', '!!', '-', '--', '- '), expr).map(([sign, e]) => `${sign}(${e})`),
      pair.map(([a, g, , b]) => `(${a})${g}[${b}]`),
      fc.tuple(expr, fc.constantFrom('b', 'if', 'name')).map(([e, f]) => `(${e}).${f}`),
      fc
        .tuple(expr, fc.constantFrom('size', 'startsWith', 'map'), fc.array(expr, { maxLength: 3 }))
        .map(([e, f, list]) => `(${e}).${f}(${list.join(', ')})`),
      fc
        .tuple(fc.constantFrom('size', 'f', 'has'), fc.array(expr, { maxLength: 2 }))
        .map(([f, list]) => `${f}(${list.join(',')})`),
      fc
        .tuple(expr, fc.constantFrom('all', 'exists', 'exists_one', 'existsOne', 'filter', 'map'), expr)
        .map(([e, m, body]) => `(${e}).${m}(x, ${body})`),
      fc.tuple(expr, expr, expr).map(([e, t, v]) => `(${e}).map(x, ${t}, ${v})`),
      fc.constantFrom('has(a.b)', 'has(args.x.y)', 'a.b.c', '.a', '.a.b', 'a[0].b'),
      fc.tuple(expr, expr, expr).map(([a, b, c]) => `(${a}) ? ${b} : ${c}`),
      fc
        .tuple(fc.array(expr, { maxLength: 3 }), fc.boolean())
        .map(([l, c]) => `[${l.join(', ')}${c && l.length > 0 ? ',' : ''}]`),
      fc.array(pair, { maxLength: 2 }).map((l) => `{${l.map(([k, g, , v]) => `${k}${g}: ${v}`).join(', ')}}`),
    ),
  };
}).expr;

describe('the parser of conditions', () => {
  it('makes of every text what the reference makes of it', () => {
    fc.assert(
      fc.property(expression, (text) => {
        // `has` of `has` asks for nothing
        fc.pre(text.length <= 4096 && !text.includes('has(has('));
        expect(attempt(parseCondition, text)).toBe(attempt(referenceAst, text));
      }),
      { numRuns: 1500 },
    );
  });

  it('and of every text with a slip in it; where only one of them takes it, it is known why', () => {
    const slip = fc.tuple(
      fc.nat(),
      fc.constantFrom(
        '',
        '"',
        "'",
        '(',
        ')',
        '[',
        ']',
        '.',
        ',',
        '?',
        ':',
        '-',
        '!',
        '&',
        '=',
        '0',
        'u',
        'b"',
        'r',
        ' ',
        '\n',
        '`',
        '{',
        '}',
        '@',
        'é',
      ),
      fc.nat(2),
    );
    fc.assert(
      fc.property(expression, slip, (whole, [where, what, cut]) => {
        const at = where % (whole.length + 1);
        const text = whole.slice(0, at) + what + whole.slice(at + cut);
        fc.pre(text.length <= 4096 && text.trim() !== '' && !text.includes('has(has('));
        const [ours, theirs] = [attempt(parseCondition, text), attempt(referenceAst, text)];
        if (ours === theirs) return;
        // the reference wants a line end after a comment and no space in `( )` or `! !`; and it takes escapes that are none
        // and it cuts `in_` into `in` and `_`
        const known =
          theirs === undefined ? /\/\/|[!(-]\s+[!)-]|(in|true|false|null)\w/.test(text) : /\\|in_/.test(text);
        expect(known, `${text}\nours ${ours}\ntheirs ${theirs}`).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  it('reads any text to its end or says where it stops', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string({ unit: 'binary' }),
          expression.map((e) => e.repeat(3)),
        ),
        (text) => {
          try {
            expect(firstOffset(parseCondition(text))).toBeLessThan(text.length);
          } catch (error) {
            expect(error).toBeInstanceOf(ConditionFault);
            const { at } = error as ConditionFault;
            expect(at >= 0 && at <= text.length).toBe(true);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['"a\\s+"', 2, '`\\s` is no escape of CEL; write `\\\\s`, or put an `r` before the quotes'],
    ["'\\d'", 1, '`\\d` is no escape'],
    ['"\\xZZ"', 1, '`\\x` is no escape'],
    ['"\\u12"', 1, '`\\u` is no escape'],
    ['"\\400"', 1, '`\\4` is no escape'],
    ['"\\ud800"', 1, '`\\ud800` is no character'],
    ['"\\🙂"', 1, '`\\🙂` is no escape'],
    ['f(a,)', 4, 'from `)` on'],
    ['!-a', 1, 'from `-` on'],
    [`${'('.repeat(201)}a`, 200, 'nested too deeply'],
    [`a${'+a'.repeat(80)}`, 29, 'nested deeper than 64 levels'],
  ])('refuses %s', (text, at, message) => {
    try {
      parseCondition(text);
    } catch (error) {
      expect((error as Error).message).toContain(message);
      expect((error as ConditionFault).at).toBe(at);
      return;
    }
    throw new Error('it was taken');
  });

  it('takes long chains, and every escape the specification has', () => {
    expect(shape(parseCondition(`a${' || a'.repeat(700)}`))).toContain('_||_');
    const escapes = '"\\a\\b\\f\\n\\r\\t\\v\\\\\\?\\"\\\'\\`\\x41\\X41\\u0041\\U00000041\\101"';
    expect(parseCondition(escapes)).toMatchObject({ value: '\x07\b\f\n\r\t\v\\?"\'`AAAAA' });
  });
});
