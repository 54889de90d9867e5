import { describe, expect, it } from 'vitest';
import { hint, nearest } from '../../../gateway/domain/nearest.ts';
import { problemText, readSource } from '../../../gateway/domain/source.ts';

const at = (p: { line: number; column: number }): string => `${p.line}:${p.column}`;

describe('a source', () => {
  const source = readSource('a.yaml', 'a: 1\nb:\n  c: "x\\ty z"\n  d: [p, q]\n  e:\n');

  it('places values, names, what stands inside a text, and what is not there at its parent', () => {
    expect(at(source.problem(['b', 'c'], ''))).toBe('3:6');
    expect(at(source.problem(['b', 'c'], '', { key: true }))).toBe('3:3');
    expect(at(source.problem(['b', 'c'], '', { inside: 2 }))).toBe('3:10');
    expect(at(source.problem(['b', 'd', 1], ''))).toBe('4:10');
    expect(at(source.problem(['b', 'x', 'y'], ''))).toBe('3:3');
    expect(at(source.problem(['b', 'e'], ''))).toBe('5:5');
    expect(problemText(source.problem(['a'], 'wrong'))).toBe('a.yaml:1:4: wrong');
  });

  it('gives what is written', () => {
    expect([source.written(['a']), source.written(['b', 'd']), source.written(['z'])]).toEqual([
      '1',
      '[p, q]',
      undefined,
    ]);
    const quoted = readSource('b.yaml', 'x: { "y*": \'z\', w: 1 }\n');
    const names = [['x', 'y*'], ['x', 'w'], ['x'], ['v']].map((path) => quoted.written(path, { key: true }));
    expect([quoted.written(['x', 'y*']), ...names]).toEqual(["'z'", '"y*"', 'w', 'x', undefined]);
  });

  it('follows aliases, unless the language has none', () => {
    const text = 'x: &x { y: 1 }\nz: *x\n';
    const free = readSource('f', text);
    expect(free.value).toEqual({ x: { y: 1 }, z: { y: 1 } });
    expect(at(free.problem(['z', 'y'], ''))).toBe('1:12');
    expect(readSource('f', text, 'our language').problems.map((p) => `${at(p)} ${p.message}`)).toEqual([
      '1:7 anchors and aliases are not part of our language; write the value out',
      '2:4 anchors and aliases are not part of our language; write the value out, or in quotes where it is a text that begins with `*`',
    ]);
  });

  it('says what is no YAML, without throwing', () => {
    for (const text of ['a: [', 'a: 1\na: 2', '? [a]\n: 1', `a: ${'['.repeat(20_000)}`, ' '.repeat(9 * 1_048_576)]) {
      const broken = readSource('f', text);
      expect(broken.problems.length).toBeGreaterThan(0);
      expect(broken.value).toBeUndefined();
    }
  });

  it('bounds what aliases unfold to', () => {
    const rows = Array.from({ length: 12 }, (_, i) => `l${i}: &l${i} [${`*l${i - 1},`.repeat(i === 0 ? 0 : 9)}1]`);
    expect(readSource('f', rows.join('\n')).problems).not.toEqual([]);
  });
});

describe('the nearest word', () => {
  it('is a third mistyped at most, or a beginning', () => {
    expect(nearest('lisen', ['listen', 'limits'])).toBe('listen');
    expect(nearest('cant', ['can', 'not'])).toBe('can');
    expect(nearest('desc', ['description'])).toBe('description');
    expect(nearest('zzz', ['listen'])).toBeUndefined();
    expect(hint('zzz', ['a', 'b'])).toBe('; known here: `a`, `b`');
  });
});
