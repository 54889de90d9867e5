import ts from 'typescript';
import { expect, test } from 'vitest';
import { filesMatching, type SourceFile } from './source-tree.ts';

/** Where an object literal has a getter or setter: `file:line name`. */
function accessorsIn({ path, text }: SourceFile): string[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isAccessor(node) && ts.isObjectLiteralExpression(node.parent)) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      found.push(`${path}:${line + 1} ${node.name.getText()}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

test('no object literal has a getter: V8 keeps what it closes over until the whole heap is collected (ADR 46)', () => {
  expect(filesMatching(/^gateway\/.*\.ts$/).flatMap(accessorsIn)).toEqual([]);
});

test('one is seen where there is one', () => {
  const text = 'export const made = (n: number) => ({ a: 1, get b() { return n; }, set b(to) { n = to; } });';
  expect(accessorsIn({ path: 'x.ts', text })).toEqual(['x.ts:1 b', 'x.ts:1 b']);
});
